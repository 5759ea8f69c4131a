# Everything Mien links. Required libraries fail the configure step with the package to install; FFmpeg and flite are
# optional, so that the code also builds on machines that have only LibTorch (training hosts).
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

include(cmake/Cuda.cmake)

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
set(mien_cuda_flags "${CMAKE_CUDA_FLAGS}")
find_package(Torch REQUIRED)
set(CMAKE_CUDA_FLAGS "${mien_cuda_flags}")  # a CUDA LibTorch adds architectures of its own

find_package(PkgConfig)
if(PkgConfig_FOUND)
  pkg_check_modules(FFMPEG IMPORTED_TARGET libavformat libavcodec libavutil libswscale libswresample)
endif()
find_path(FLITE_INCLUDE_DIR flite/flite.h)
foreach(part flite_cmu_us_slt flite_cmu_us_rms flite_cmu_us_awb flite_cmu_us_kal16 flite_usenglish flite_cmulex flite)
  find_library(LIB_${part} ${part})
  list(APPEND FLITE_LIBRARIES ${LIB_${part}})
endforeach()
if(FLITE_INCLUDE_DIR AND LIB_flite AND LIB_flite_cmu_us_slt)
  set(FLITE_FOUND TRUE)
endif()
message(STATUS "FFmpeg: ${FFMPEG_FOUND}; flite: ${FLITE_FOUND}; Torch: ${Torch_VERSION}")
