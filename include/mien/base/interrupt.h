// Ctrl-C and SIGTERM: long work is asked to stop, unwinds, and leaves nothing half-written.
#pragma once

#include <filesystem>

namespace mien {

// Installs the handlers; call once, from main(). The first signal only raises a flag: work that polls interrupted()
// (every ProgressBar does) stops at the next step and throws kInterrupted. A second signal, or five seconds without an
// end, removes the temporary files registered below and ends the process with status 128 + signal. SIGPIPE and SIGXFSZ
// are ignored, so that a closed pipe or a size limit comes back as an error of write().
void install_interrupt_handlers();

// True after the first signal. Any thread.
bool interrupted();

// Throws Error(kInterrupted) after the first signal.
void throw_if_interrupted();

// Temporary files to remove if the process must end at once. AtomicFile does this by itself; libraries that write their
// own temporary files use it too. At most 64 at a time, further ones are not watched. Any thread.
void watch_temporary(const std::filesystem::path& path);
void unwatch_temporary(const std::filesystem::path& path);

}  // namespace mien
