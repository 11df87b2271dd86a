/* Makes a disk slow for the process that it is preloaded into: each fsync and fdatasync takes SLOWER_BY_MICROSECONDS
   longer. What is written is still made durable, by the system call itself. */

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int slowly(long call, int file)
{
    const struct timespec longer = {0, SLOWER_BY_MICROSECONDS * 1000L};
    nanosleep(&longer, NULL);
    return (int)syscall(call, file);
}

int fsync(int file)
{
    return slowly(SYS_fsync, file);
}

int fdatasync(int file)
{
    return slowly(SYS_fdatasync, file);
}
