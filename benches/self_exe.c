/* Under valgrind /proc/self/exe is valgrind, so `portreeve run` could not start its loader from it:
 * preloaded, this puts the program that SELF_EXE names in its place. */
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
