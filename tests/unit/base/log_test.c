/* log_test.c: the form of lines, what is escaped, and the bound on repeats. Standard error is a file here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/json.h"
#include "queue/base/log.h"

#define COUNT(array)    (sizeof(array) / sizeof *(array))
#define PAST_THE_SECOND 1500

static FILE *caught;
static int real_stderr;

/* Sends standard error to a file from here on; each test starts in a second of its own. */
static int catch_start(void **state)
{
    (void)state;
    log_set(LOG_INFO, LOG_KEYVALUE);
    clock_shift_mono(PAST_THE_SECOND);
    caught = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    return caught != NULL && dup2(fileno(caught), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int catch_stop(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    return fclose(caught);
}

/* What was written since the last call. */
static const char *written(void)
{
    static char text[65536];
    ssize_t len = pread(fileno(caught), text, sizeof text - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    assert_int_equal(ftruncate(fileno(caught), 0), 0);
    assert_int_equal(lseek(fileno(caught), 0, SEEK_SET), 0);
    return text;
}

/* The line behind its time. */
static const char *after_time(const char *line)
{
    const char *at = strchr(line, ' ');

    assert_memory_equal(line, "time=2", 6);
    assert_non_null(at);
    return at + 1;
}

static size_t lines_in(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void lines_are_key_value(void **state)
{
    (void)state;
    log_info("hook.accepted", "channel=%s bytes=%d", "chn_1", 12);
    assert_string_equal(after_time(written()), "level=info event=hook.accepted channel=chn_1 bytes=12\n");
    log_error("disk.full", "%s", "");
    assert_string_equal(after_time(written()), "level=error event=disk.full\n");
}

static void levels_are_a_threshold(void **state)
{
    enum log_level level;
    unsigned long before = log_count(LOG_WARN);

    (void)state;
    log_debug("a.b", "x=%d", 1);
    assert_string_equal(written(), "");
    log_set(LOG_WARN, LOG_KEYVALUE);
    log_info("a.b", "x=%d", 1);
    assert_string_equal(written(), "");
    log_warn("a.b", "x=%d", 1);
    assert_int_equal(lines_in(written()), 1);
    assert_int_equal(log_count(LOG_WARN), before + 1);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
    log_set(LOG_DEBUG, LOG_KEYVALUE);
    log_debug("a.b", "x=%d", 1);
    assert_int_equal(lines_in(written()), 1);
}

static void values_are_quoted(void **state)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"plain", "plain"},
        {"", "\"\""},
        {NULL, "-"},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"a\nb\r\t", "\"a\\nb\\r\\t\""},
        {"\x1b[31m", "\"\\x1b[31m\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
    };
    char large[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(log_quote(cases[i].value), cases[i].want);
    }
    memset(large, '"', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    const char *quoted = log_quote(large);
    assert_in_range(strlen(quoted), 250, 255);
    assert_int_equal(quoted[strlen(quoted) - 1], '"');
    const char *first = log_quote("first");
    for (int i = 0; i < 7; i++) {
        log_quote("next");
    }
    assert_string_equal(first, "first");
}

static void phones_show_four_digits(void **state)
{
    static const struct {
        const char *phone, *want;
    } cases[] = {
        {"+14155550123", "...0123"},
        {"14155550123", "...0123"},
        {"5550123", "..."},
        {"", "..."},
        {NULL, "..."},
        {"not a phone", "..."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(log_phone(cases[i].phone), cases[i].want);
    }
}

/* Whatever is passed, one call is one line of well-formed text. */
static void input_forges_no_line(void **state)
{
    static char large[5000];

    (void)state;
    log_info("in.put", "name=%s", "x\ntime=2026 level=error event=forged");
    assert_string_equal(after_time(written()),
                        "level=info event=in.put name=x\\ntime=2026 level=error event=forged\n");
    log_info("in.put", "name=%s", "\xff\x01");
    assert_string_equal(after_time(written()), "level=info event=in.put name=\xef\xbf\xbd\\x01\n");
    for (int c = 1; c < 256; c += 254) {
        memset(large, c, sizeof large - 1);
        log_info("in.put", "name=%s", large);
        const char *text = written();
        assert_int_equal(lines_in(text), 1);
        assert_int_equal(text[strlen(text) - 1], '\n');
    }
}

/* The JSON form of one line. */
static json_t *json_line(void)
{
    json_t *value;
    const char *text = written();

    assert_int_equal(lines_in(text), 1);
    assert_int_equal(jx_parse_strict(text, strlen(text), &value, NULL), ERR_OK);
    return value;
}

static void json_lines_parse(void **state)
{
    static char large[5000];

    (void)state;
    log_set(LOG_INFO, LOG_JSON);
    log_info("send.failed", "channel=%s n=%d id=%s text=%s retry empty=%s", "chn_1", 12, "0123",
             log_quote("a \"b\"\n\\ \x1b c=d"), "");
    json_t *line = json_line();
    int64_t when;
    assert_true(clock_parse(jx_str_or(line, "time", ""), &when, NULL));
    assert_string_equal(jx_str(line, "level"), "info");
    assert_string_equal(jx_str(line, "event"), "send.failed");
    assert_string_equal(jx_str(line, "channel"), "chn_1");
    assert_int_equal(jx_int(line, "n", -1), 12);
    assert_string_equal(jx_str(line, "id"), "0123");
    assert_string_equal(jx_str(line, "text"), "a \"b\"\n\\ \x1b c=d");
    assert_true(jx_bool(line, "retry", false));
    assert_string_equal(jx_str(line, "empty"), "");
    json_decref(line);

    memset(large, 1, sizeof large - 1);
    log_info("in.put", "name=%s", large);
    json_decref(json_line());
    log_info("in.put", "name=\"%s", "open \\");
    line = json_line();
    assert_string_equal(jx_str(line, "name"), "open \\");
    json_decref(line);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        log_info("noise.one", "i=%d", i);
    }
    log_info("noise.other", "%s", "");
    assert_int_equal(lines_in(written()), 21);
    clock_shift_mono(PAST_THE_SECOND);
    log_info("quiet", "%s", "");
    const char *text = written();
    assert_int_equal(lines_in(text), 2);
    assert_non_null(strstr(text, "level=info event=noise.one suppressed=30\n"));
    log_info("noise.one", "i=%d", 51);
    assert_int_equal(lines_in(written()), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_key_value, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(levels_are_a_threshold, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(values_are_quoted, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(phones_show_four_digits, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(input_forges_no_line, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(json_lines_parse, catch_start, catch_stop),
        cmocka_unit_test_setup_teardown(repeats_are_counted, catch_start, catch_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
