/* Preloaded under valgrind.
 * There /proc/self/exe is valgrind, so `portreeve run` could not start its loader from it: the
 * program that SELF_EXE names takes its place. And where FIXED_SEEDS is set, what asks for random
 * bytes gets the same in every run: the seeds of hash maps, so that counts can be repeated. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program(const char *path) {
    const char *self = getenv("SELF_EXE");
    return self && strcmp(path, "/proc/self/exe") == 0 ? self : path;
}

int execvp(const char *path, char *const argv[]) {
    int (*next)(const char *, char *const[]) = dlsym(RTLD_NEXT, "execvp");
    return next(program(path), argv);
}

int posix_spawnp(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]) =
        dlsym(RTLD_NEXT, "posix_spawnp");
    return next(pid, program(path), actions, attributes, argv, envp);
}

ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    ssize_t (*next)(void *, size_t, unsigned int) = dlsym(RTLD_NEXT, "getrandom");
    if (!getenv("FIXED_SEEDS"))
        return next(buffer, length, flags);
    memset(buffer, 0x5a, length);
    return (ssize_t)length;
}
