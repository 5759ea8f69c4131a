# mien_room(<name> SOURCES ... [USES other rooms] [LINKS libraries] [TORCH]): one room = one static library mien_<name>.
# mien_tests(<room> SOURCES ... [USES rooms] [TORCH]): the tests of a room, also as a binary of their own (test_<room>).
add_library(mien_flags INTERFACE)
target_compile_options(mien_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wno-unknown-pragmas
                       $<$<BOOL:${MIEN_WERROR}>:-Werror> $<$<CONFIG:Release>:-O3>>)
target_include_directories(mien_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(mien_flags INTERFACE OpenMP::OpenMP_CXX Threads::Threads)
if(MIEN_SANITIZE)
  target_compile_options(mien_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${MIEN_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(mien_flags INTERFACE -fsanitize=${MIEN_SANITIZE})
endif()

# LibTorch without its warning flags leaking into ours: its headers are system headers.
add_library(mien_torch INTERFACE)
target_include_directories(mien_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# The C++ library stands before LibTorch, whose packages for Python export parts of an old one (std::filesystem).
target_link_libraries(mien_torch INTERFACE stdc++ ${TORCH_LIBRARIES})
foreach(folder IN LISTS TORCH_INCLUDE_DIRS)
  # LibTorch may bring fmt headers of its own, newer than spdlog knows: the system's come first, without the library.
  if(EXISTS ${folder}/fmt/format.h)
    find_path(SYSTEM_FMT_INCLUDE_DIR fmt/format.h PATHS /usr/include /usr/local/include NO_DEFAULT_PATH)
    if(SYSTEM_FMT_INCLUDE_DIR AND NOT SYSTEM_FMT_INCLUDE_DIR STREQUAL folder)
      file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/system_fmt)
      file(CREATE_LINK ${SYSTEM_FMT_INCLUDE_DIR}/fmt ${CMAKE_BINARY_DIR}/system_fmt/fmt SYMBOLIC)
      target_include_directories(mien_torch SYSTEM BEFORE INTERFACE ${CMAKE_BINARY_DIR}/system_fmt)
    endif()
    target_compile_definitions(mien_torch INTERFACE FMT_HEADER_ONLY)
  endif()
endforeach()

function(mien_room name)
  cmake_parse_arguments(A "TORCH" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(mien_${name} STATIC ${A_SOURCES})
  target_include_directories(mien_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM A_USES PREPEND mien_)
  target_link_libraries(mien_${name} PUBLIC mien_flags ${A_USES} ${A_LINKS})
  if(A_TORCH)
    target_link_libraries(mien_${name} PUBLIC mien_torch)
  endif()
endfunction()

# mien_kernels(<target> SOURCES .cu files): CUDA kernels of a room as a static library of their own, without LibTorch.
# Only where MIEN_CUDA is on. Warnings are shown, and errors with MIEN_WERROR, for both halves of nvcc.
function(mien_kernels target)
  cmake_parse_arguments(A "" "" "SOURCES" ${ARGN})
  add_library(${target} STATIC ${A_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PUBLIC CUDA::cudart_static)
  target_compile_options(${target} PRIVATE -Xcompiler=-Wall,-Wextra
                         $<$<BOOL:${MIEN_WERROR}>:-Werror=all-warnings>)
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${MIEN_CUDA_ARCHITECTURES}" CUDA_STANDARD 17
                        CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static)
endfunction()

function(mien_tests room)
  cmake_parse_arguments(A "TORCH" "" "SOURCES;USES" ${ARGN})
  list(TRANSFORM A_USES PREPEND mien_)
  add_library(test_${room}_objects OBJECT ${A_SOURCES})
  target_include_directories(test_${room}_objects PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${room}_objects PUBLIC mien_flags mien_${room} ${A_USES} GTest::gtest GTest::gmock)
  add_executable(test_${room} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:test_${room}_objects>)
  target_link_libraries(test_${room} PRIVATE mien_${room} ${A_USES} GTest::gtest_main GTest::gmock)
  if(A_TORCH)
    target_link_libraries(test_${room}_objects PUBLIC mien_torch)
    set(binary torch)
  else()
    set(binary core)
  endif()
  set_property(GLOBAL APPEND PROPERTY MIEN_TEST_OBJECTS_${binary} $<TARGET_OBJECTS:test_${room}_objects>)
  set_property(GLOBAL APPEND PROPERTY MIEN_TEST_LIBS_${binary} mien_${room} ${A_USES})
endfunction()
