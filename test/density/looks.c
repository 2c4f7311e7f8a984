// How long the main thread of one process goes without a look at the network: preloaded, it notes in the file $LOOKS_FILE each stretch
// between two calls of epoll_wait that took longer than a millisecond.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROWS 65536
#define LEAST_US 1000

struct row {
  int64_t begin_us;           /* CLOCK_MONOTONIC */
  int64_t wall_us;
  int64_t cpu_us;             /* of the thread */
  int64_t disk_us;            /* of that in writing to files and in waiting until they are safe */
  int64_t said_from, said_to; /* what it said meanwhile: offsets in standard output */
};
struct sheet {
  volatile int64_t count;
  struct row rows[ROWS];
};

static struct sheet *sheet;
static pid_t main_thread;
static int64_t began_us, began_cpu_us, began_said, disk_us;
static int (*real_wait)(int, struct epoll_event *, int, int);
static ssize_t (*real_write)(int, const void *, size_t, off64_t);
static int (*real_sync)(int);

static int64_t us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t said(void) {
  struct stat s;
  return fstat(1, &s) == 0 ? s.st_size : 0;
}

__attribute__((constructor)) static void open_sheet(void) {
  real_wait = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
  real_write = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  real_sync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  const char *path = getenv("LOOKS_FILE");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(0, sizeof(struct sheet), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) sheet = at;
  main_thread = getpid();
  close(fd);
  /* What V8 says of a collection is in the log when it is over, so within its stretch. */
  setvbuf(stdout, 0, _IOLBF, 0);
}

static int is_main(void) { return sheet && (pid_t)syscall(SYS_gettid) == main_thread; }

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout) {
  if (!is_main()) return real_wait(fd, events, most, timeout);
  if (began_us) {
    int64_t wall = us(CLOCK_MONOTONIC) - began_us;
    if (wall >= LEAST_US) {
      struct row *r = &sheet->rows[sheet->count % ROWS];
      r->begin_us = began_us;
      r->wall_us = wall;
      r->cpu_us = us(CLOCK_THREAD_CPUTIME_ID) - began_cpu_us;
      r->disk_us = disk_us;
      r->said_from = began_said;
      r->said_to = said();
      sheet->count++;
    }
  }
  int n = real_wait(fd, events, most, timeout);
  began_us = us(CLOCK_MONOTONIC);
  began_cpu_us = us(CLOCK_THREAD_CPUTIME_ID);
  began_said = said();
  disk_us = 0;
  return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  if (!is_main()) return real_write(fd, bytes, size, at);
  int64_t began = us(CLOCK_THREAD_CPUTIME_ID);
  ssize_t n = real_write(fd, bytes, size, at);
  disk_us += us(CLOCK_THREAD_CPUTIME_ID) - began;
  return n;
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

int fsync(int fd) {
  if (!is_main()) return real_sync(fd);
  int64_t began = us(CLOCK_THREAD_CPUTIME_ID);
  int r = real_sync(fd);
  disk_us += us(CLOCK_THREAD_CPUTIME_ID) - began;
  return r;
}
