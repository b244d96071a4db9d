/* System calls on a journal's files that fail as a disk makes them fail. Loaded into the gateway by
 * LD_PRELOAD. FAULTS names a file with one letter in it, FAULTS_IN the folder whose files it is about:
 *
 *   -  nothing fails
 *   w  nothing can be written (EIO)
 *   s  a write takes half of what it is given, and the next finds no space
 *   f  nothing can be made durable (EIO)
 *   o  the next segment can't be made durable, and all calls after that succeed: as the kernel does it,
 *      which then has dropped what it could not write. What was written since the last time is zeros.
 *   l  making a segment durable seems to work, and what was written since the last time is zeros: the file
 *      system became read-only meanwhile
 *   c  no file can be made (EIO)
 *   h  making durable never ends
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILES 4096

static volatile char *fault;
static const char *folder;
/* By descriptor: which file, and how much of it is durable. */
static ino_t files[FILES];
static off_t durable[FILES];
static __thread int half;

static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_open64)(const char *, int, ...);
static int (*real_fstatvfs)(int, struct statvfs *);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_open64 = dlsym(RTLD_NEXT, "open64");
    real_fstatvfs = dlsym(RTLD_NEXT, "fstatvfs");
    folder = getenv("FAULTS_IN");
    const char *name = getenv("FAULTS");
    int file = name ? real_open64(name, O_RDWR) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (!folder || page == MAP_FAILED) abort();
    fault = page;
}

static int name_of(int file, char *name, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, size - 1);
    name[length < 0 ? 0 : length] = 0;
    return strncmp(name, folder, strlen(folder)) == 0;
}

static int is_ours(int file) {
    char name[4096];
    return name_of(file, name, sizeof name);
}

ssize_t write(int file, const void *bytes, size_t size) {
    if (!fault || (*fault != 'w' && *fault != 's') || !is_ours(file))
        return real_write(file, bytes, size);
    if (*fault == 's' && size > 1 && !half) {
        half = 1;
        return real_write(file, bytes, size / 2);
    }
    errno = *fault == 's' ? ENOSPC : EIO;
    half = 0;
    return -1;
}

/* What was not durable is gone: the file is as long as it was, and has zeros there. */
static void forget(const char *name, off_t from, off_t to) {
    static const char zeros[4096];
    int file = real_open64(name, O_WRONLY);
    for (off_t at = from; file >= 0 && at < to;) {
        off_t size = to - at < (off_t)sizeof zeros ? to - at : (off_t)sizeof zeros;
        if (pwrite(file, zeros, size, at) < 0) abort();
        at += size;
    }
    if (file < 0 || real_fsync(file) || close(file)) abort();
}

static int sync_with(int (*real)(int), int file) {
    char name[4096];
    struct stat about;
    if (file < 0 || file >= FILES || fstat(file, &about) || !name_of(file, name, sizeof name))
        return real(file);
    while (*fault == 'h') usleep(10000);
    if (files[file] != about.st_ino) {
        files[file] = about.st_ino;
        durable[file] = 0;
    }
    if (*fault == 'f' || (*fault == 'o' && strstr(name, ".segment"))) {
        if (*fault == 'o') {
            *fault = '-';
            forget(name, durable[file], about.st_size);
        }
        errno = EIO;
        return -1;
    }
    if (*fault == 'l' && strstr(name, ".segment")) {
        forget(name, durable[file], about.st_size);
        return 0;
    }
    int result = real(file);
    if (!result) durable[file] = about.st_size;
    return result;
}

int fdatasync(int file) { return sync_with(real_fdatasync, file); }
int fsync(int file) { return sync_with(real_fsync, file); }

int fstatvfs(int file, struct statvfs *disk) {
    int result = real_fstatvfs(file, disk);
    if (!result && fault && *fault == 'l' && is_ours(file)) disk->f_flag |= ST_RDONLY;
    return result;
}

int open64(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fault && *fault == 'c' && (flags & O_CREAT) && !strncmp(name, folder, strlen(folder))) {
        errno = EIO;
        return -1;
    }
    return real_open64(name, flags, mode);
}
