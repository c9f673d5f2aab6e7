/* sandbox.c: limits, no new privileges, a system call filter, and Landlock where the kernel has it.
 *
 * A build with the address sanitizer needs terabytes of address space and system calls of its own: there the
 * parser's strict filter and the memory limit are left out, everything else stays. */
#include "kb/source/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define DESCRIPTORS 32

/* What our own parsers may call. */
static const int PARSER_CALLS[] = {
    SCMP_SYS(read),          SCMP_SYS(write),        SCMP_SYS(writev),         SCMP_SYS(lseek),
    SCMP_SYS(close),         SCMP_SYS(fstat),        SCMP_SYS(newfstatat),     SCMP_SYS(brk),
    SCMP_SYS(mmap),          SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(mprotect),
    SCMP_SYS(madvise),       SCMP_SYS(futex),        SCMP_SYS(exit),           SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
    SCMP_SYS(getrandom),     SCMP_SYS(getpid),       SCMP_SYS(gettid),         SCMP_SYS(tgkill),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(sched_yield),    SCMP_SYS(restart_syscall),
};

/* What no document reader has any business with. */
static const int FOREIGN_CALLS[] = {
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(truncate),
    SCMP_SYS(creat),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
};

/* Sets one limit to value, or leaves it where it is lower already. */
static bool limit(int resource, rlim_t value)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0) {
        return false;
    }
    value = now.rlim_max != RLIM_INFINITY && now.rlim_max < value ? now.rlim_max : value;
    return setrlimit(resource, &(struct rlimit){value, value}) == 0;
}

bool sandbox_limits(unsigned cpu_s, size_t memory)
{
    bool good = limit(RLIMIT_CPU, cpu_s) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) &&
                limit(RLIMIT_NOFILE, DESCRIPTORS);

    return good && (SANITIZED || limit(RLIMIT_AS, memory));
}

/* Loads a filter: by default one thing, for the calls of the list another. */
static bool filter(uint32_t otherwise, uint32_t listed, const int *calls, size_t count)
{
    scmp_filter_ctx ctx = seccomp_init(otherwise);
    bool good = ctx != NULL;

    for (size_t i = 0; i < count && good; i++) {
        good = calls[i] == __NR_SCMP_ERROR || seccomp_rule_add(ctx, listed, calls[i], 0) == 0;
    }
    good = good && seccomp_load(ctx) == 0;
    if (ctx != NULL) {
        seccomp_release(ctx);
    }
    return good;
}

/* ---- Landlock ---- */

/* Lets the folder be read and its programs be run. */
static void landlock_readable(int rules, const char *path)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};

    rule.allowed_access =
        LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    if (rule.parent_fd >= 0) {
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        close(rule.parent_fd);
    }
}

/* Only system folders can be read from here on. A kernel without Landlock changes nothing: the filter stands
 * anyway. */
static void landlock_enter(void)
{
    static const char *const FOLDERS[] = {"/usr", "/lib", "/lib64", "/etc/fonts", "/dev"};
    struct landlock_ruleset_attr attr = {.handled_access_fs =
                                             LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                             LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

    if (rules < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        landlock_readable(rules, FOLDERS[i]);
    }
    syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
}

bool sandbox_parser(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return false;
    }
    landlock_enter();
    if (SANITIZED) {
        return filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), FOREIGN_CALLS, 12);
    }
    return filter(SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW, PARSER_CALLS,
                  sizeof PARSER_CALLS / sizeof *PARSER_CALLS);
}

bool sandbox_program(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return false;
    }
    landlock_enter();
    return filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), FOREIGN_CALLS,
                  sizeof FOREIGN_CALLS / sizeof *FOREIGN_CALLS);
}
