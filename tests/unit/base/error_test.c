/* error_test.c: the error table, the classes of errno, the panic line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/error.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void every_row_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(strlen(err_name((enum err)i)) > 0);
        assert_true(strlen(err_text((enum err)i)) > 0);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(err_name((enum err)i), err_name((enum err)k));
        }
    }
    assert_int_equal(ERR_OK, 0);
    assert_string_equal(err_name(ERR_NOTFOUND), "not_found");
    assert_string_equal(err_name((enum err)ERR_COUNT), "unknown");
    assert_string_equal(err_text((enum err) - 1), "unknown");
}

static void errno_values_fall_into_classes(void **state)
{
    static const struct {
        int errnum;
        enum err want;
    } cases[] = {
        {0, ERR_OK},
        {ENOSPC, ERR_FULL},
        {EDQUOT, ERR_FULL},
        {ENOENT, ERR_NOTFOUND},
        {EACCES, ERR_DENIED},
        {ENOMEM, ERR_NOMEM},
        {ECONNREFUSED, ERR_NETWORK},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EEXIST, ERR_CONFLICT},
        {EMFILE, ERR_BUSY},
        {EIO, ERR_IO},
        {12345, ERR_IO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(err_from_errno(cases[i].errnum), cases[i].want);
    }
}

/* A failed CHECK writes one structured line and aborts. */
static void panic_tells_and_aborts(void **state)
{
    int ends[2];
    char text[1024];
    size_t len = 0;
    int status;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        panic("here.c", 7, "subject", "a < b");
    }
    close(ends[1]);
    for (ssize_t n = 1; n > 0 && len < sizeof text - 1; len += (size_t)(n > 0 ? n : 0)) {
        n = read(ends[0], text + len, sizeof text - 1 - len);
    }
    text[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(
        strstr(text, " level=panic event=panic file=here.c line=7 func=subject check=\"a < b\"\n"));
}

static void allocations_answer_for_nothing_too(void **state)
{
    (void)state;
    void *nothing = xmalloc(0);
    char *counted = xcalloc(0, 8);
    char *text = xasprintf("%s-%d", "a", 5);
    char *part = xstrndup("abcdef", 3);

    assert_non_null(nothing);
    assert_non_null(counted);
    assert_string_equal(text, "a-5");
    assert_string_equal(part, "abc");
    part = xrealloc(part, 100);
    assert_string_equal(part, "abc");
    free(nothing);
    free(counted);
    free(text);
    free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_name_and_a_sentence),
        cmocka_unit_test(errno_values_fall_into_classes),
        cmocka_unit_test(panic_tells_and_aborts),
        cmocka_unit_test(allocations_answer_for_nothing_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
