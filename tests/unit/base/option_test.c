/* option_test.c: the table, the three sources and their order, the sentences of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/option.h"
#include "queue/base/option_int.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char folder[] = "/tmp/chasqui-option-XXXXXX";
static char path[64];

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/c.ini", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int start_fresh(void **state)
{
    (void)state;
    unsetenv("CHASQUI_HTTP_LISTEN");
    option_reset();
    return 0;
}

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Loads a file of that text; the sentence comes without the folder. */
static enum err load(const char *text, char why[300])
{
    struct buf b;

    write_file(text, strlen(text));
    buf_init(&b, 2000);
    enum err rc = option_load_file(path, &b);
    size_t skip = strncmp(buf_str(&b), folder, strlen(folder)) == 0 ? strlen(folder) + 1 : 0;
    snprintf(why, 300, "%s", buf_str(&b) + skip);
    buf_fini(&b);
    return rc;
}

/* Names, flags and variables are unique, every default is in range, every row has help. */
static void table_is_sound(void **state)
{
    static const enum option_form forms[] = {OPTION_FORM_KEY, OPTION_FORM_VARIABLE, OPTION_FORM_FLAG};
    char name[OPTION_NAME_MAX];

    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        int64_t number;
        assert_int_equal(option_value_parse(row, row->fallback, &number, NULL), ERR_OK);
        assert_true(strlen(row->help) > 0);
        assert_non_null(strchr(row->name, '.'));
        for (size_t k = 0; k < COUNT(forms); k++) {
            enum option_id found;
            option_spell((enum option_id)i, forms[k], name);
            assert_true(option_find(name, forms[k], &found));
            assert_int_equal(found, i);
        }
    }
}

static void values_are_parsed_by_type(void **state)
{
    static const struct option_row number = {.type = OPTION_INT, .min = -5, .max = 100};
    static const struct option_row size = {.type = OPTION_SIZE, .min = 0, .max = INT64_MAX};
    static const struct option_row when = {.type = OPTION_TIME, .min = 0, .max = 90000000};
    static const struct option_row yes_no = {.type = OPTION_BOOL};
    static const struct option_row text = {.type = OPTION_TEXT};
    static const struct option_row secret = {.type = OPTION_INT, .max = 9, .secret = true};
    static const struct {
        const struct option_row *row;
        const char *text;
        int64_t want;
        const char *why; /* NULL: good */
    } cases[] = {
        {&number, "42", 42, NULL},
        {&number, "-5", -5, NULL},
        {&number, "101", 0, "is \"101\"; the range is -5 to 100"},
        {&number, "", 0, "is \"\"; it wants a whole number"},
        {&number, "4x", 0, "is \"4x\"; it wants a whole number"},
        {&number, "+4", 0, "is \"+4\"; it wants a whole number"},
        {&number, "99999999999999999999", 0, "is \"99999999999999999999\"; it wants a whole number"},
        {&size, "10MiB", 10485760, NULL},
        {&size, "64 GiB", INT64_C(64) << 30, NULL},
        {&size, "7", 7, NULL},
        {&size, "7B", 7, NULL},
        {&size, "2KiB", 2048, NULL},
        {&size, "1TiB", INT64_C(1) << 40, NULL},
        {&size, "10mb", 0, "is \"10mb\"; it wants a size such as 512KiB, 10MiB or 2GiB"},
        {&size, "99999999TiB", 0, "is \"99999999TiB\"; it wants a size such as 512KiB, 10MiB or 2GiB"},
        {&when, "30s", 30000, NULL},
        {&when, "250ms", 250, NULL},
        {&when, "15m", 900000, NULL},
        {&when, "1h", 3600000, NULL},
        {&when, "1d", 86400000, NULL},
        {&when, "0", 0, NULL},
        {&when, "30", 0, "is \"30\"; it wants a time with its unit: ms, s, m, h or d"},
        {&when, "2d", 0, "is \"2d\"; the range is 0ms to 25h"},
        {&yes_no, "true", 1, NULL},
        {&yes_no, "off", 0, NULL},
        {&yes_no, "TRUE", 0, "is \"TRUE\"; it wants true or false"},
        {&text, "any text, even caf\xc3\xa9", 0, NULL},
        {&text, "two\nlines", 0, "has a value that cannot be used; it wants one line of text"},
        {&secret, "1234", 0, "has a value that cannot be used; the range is 0 to 9"},
    };
    struct buf why;

    (void)state;
    buf_init(&why, 300);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = 77;
        buf_reset(&why);
        enum err rc = option_value_parse(cases[i].row, cases[i].text, &got, &why);
        assert_string_equal(buf_str(&why), cases[i].why != NULL ? cases[i].why : "");
        assert_int_equal(rc, cases[i].why != NULL ? ERR_INVALID : ERR_OK);
        if (rc == ERR_OK) {
            assert_int_equal(got, cases[i].want);
        }
    }
    buf_fini(&why);
}

static void files_are_read(void **state)
{
    char why[300];

    (void)state;
    assert_int_equal(load("# a comment\r\n"
                          "[http]\r\n"
                          "  listen = 0.0.0.0:9000  ; inline\r\n"
                          "\tthreads=4\n"
                          "\n"
                          "; another\n"
                          "[net]\n"
                          "allow_private_networks = yes\n"
                          "[send]\n"
                          "doubt_grace = 2m",
                          why),
                     ERR_OK);
    assert_string_equal(why, "");
    assert_string_equal(option_text(OPT_LISTEN), "0.0.0.0:9000");
    assert_int_equal(option_int(OPT_HTTP_THREADS), 4);
    assert_true(option_bool(OPT_ALLOW_PRIVATE));
    assert_int_equal(option_int(OPT_DOUBT_GRACE), 120000);
    assert_int_equal(option_source_of(OPT_LISTEN), OPTION_FILE);
    assert_int_equal(option_source_of(OPT_WORKERS), OPTION_DEFAULT);
    assert_int_equal(option_int(OPT_MAP_SIZE), INT64_C(64) << 30);
    assert_int_equal(load("", why), ERR_OK);
    assert_string_equal(option_text(OPT_LISTEN), "127.0.0.1:8080");
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void faults_of_files_name_the_place(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[http]\nlissten = a\n", "c.ini:2: there is no option http.lissten; did you mean http.listen?"},
        {"[htp]\n\nlisten = a\n", "c.ini:3: there is no option htp.listen; did you mean http.listen?"},
        {"[http]\nlisten = a\n[jobs]\n[http]\nlisten = b\n", "c.ini:5: http.listen is given twice"},
        {"[http]\nthreads = 900\nlisten = a\n", "c.ini:2: http.threads is \"900\"; the range is 1 to 64"},
        {"listen = a\n", "c.ini:1: a key before the first [section]"},
        {"[http]\nlisten\n", "c.ini:2: neither [section] nor key = value"},
        {"[http\nlisten = a\n", "c.ini:1: neither [section] nor key = value"},
        {"[http]\nlisten\nbogus = 1\n", "c.ini:2: neither [section] nor key = value"},
        {"[http]\nthread = 1\nlisten\n",
         "c.ini:2: there is no option http.thread; did you mean http.threads?"},
        {"[http]\nlisten = " X50 X50 X50 X50 "\nthreads = 2\n",
         "c.ini:2: the line is too long: 199 characters at most"},
        {"[http]\nlisten = a\x01\n", "c.ini:2: a control character"},
    };
    char why[300];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load(cases[i].text, why), ERR_INVALID);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(option_source_of(OPT_LISTEN), OPTION_DEFAULT);
        assert_int_equal(option_source_of(OPT_HTTP_THREADS), OPTION_DEFAULT);
    }
    write_file("[http]\nlisten = a\0b\n", 20);
    assert_int_equal(option_load_file(path, NULL), ERR_INVALID);
    assert_int_equal(option_load_file("/nonexistent/c.ini", NULL), ERR_NOTFOUND);
    assert_int_equal(option_load_file(folder, NULL), ERR_IO);
}

/* The longest line that is taken: 199 characters. */
static void long_lines_are_whole(void **state)
{
    char text[400], why[300];

    (void)state;
    snprintf(text, sizeof text, "[http]\nlisten = %s%s%s%.40s\nthreads = 3\n", X50, X50, X50, X50);
    assert_int_equal(load(text, why), ERR_OK);
    assert_int_equal(strlen(option_text(OPT_LISTEN)), 190);
    assert_int_equal(option_int(OPT_HTTP_THREADS), 3);
}

static void higher_sources_win(void **state)
{
    char why[300];

    (void)state;
    assert_int_equal(option_set_flag("listen", "flag:1", NULL), ERR_OK);
    setenv("CHASQUI_HTTP_LISTEN", "environment:1", 1);
    setenv("CHASQUI_JOBS_WORKERS", "2", 1);
    assert_int_equal(option_load_environment(NULL), ERR_OK);
    unsetenv("CHASQUI_JOBS_WORKERS");
    assert_int_equal(load("[http]\nlisten = file:1\nthreads = 5\n[jobs]\nworkers = 9\n", why), ERR_OK);
    assert_string_equal(option_text(OPT_LISTEN), "flag:1");
    assert_int_equal(option_int(OPT_WORKERS), 2);
    assert_int_equal(option_int(OPT_HTTP_THREADS), 5);
    assert_string_equal(option_source_name(option_source_of(OPT_LISTEN)), "flag");
    assert_string_equal(option_source_name(option_source_of(OPT_WORKERS)), "environment");
    assert_string_equal(option_source_name(option_source_of(OPT_HTTP_THREADS)), "file");
    assert_string_equal(option_source_name(option_source_of(OPT_LOG_LEVEL)), "default");
    const char *kept = option_text(OPT_LISTEN);
    option_reset();
    assert_string_equal(kept, "flag:1");
    assert_string_equal(option_text(OPT_LISTEN), "127.0.0.1:8080");
}

static void unknown_variables_are_refused(void **state)
{
    struct buf why;

    (void)state;
    buf_init(&why, 300);
    setenv("CHASQUI_HTTP_LISTEN", "environment:1", 1);
    setenv("CHASQUI_HTTP_LISEN", "x", 1);
    assert_int_equal(option_load_environment(&why), ERR_INVALID);
    assert_string_equal(buf_str(&why),
                        "there is no variable CHASQUI_HTTP_LISEN; did you mean CHASQUI_HTTP_LISTEN?");
    assert_int_equal(option_source_of(OPT_LISTEN), OPTION_DEFAULT);
    unsetenv("CHASQUI_HTTP_LISEN");
    buf_reset(&why);
    setenv("CHASQUI_JOBS_WORKERS", "many", 1);
    assert_int_equal(option_load_environment(&why), ERR_INVALID);
    assert_string_equal(buf_str(&why), "CHASQUI_JOBS_WORKERS is \"many\"; it wants a whole number");
    unsetenv("CHASQUI_JOBS_WORKERS");
    setenv("CHASQUI_SERVICE_HOST", "10.0.0.1", 1);
    setenv("CHASQUI_PORT", "tcp://10.0.0.1:8080", 1);
    setenv("CHASQUI_PORT_8080_TCP", "tcp://10.0.0.1:8080", 1);
    assert_int_equal(option_load_environment(NULL), ERR_OK);
    unsetenv("CHASQUI_SERVICE_HOST");
    unsetenv("CHASQUI_PORT");
    unsetenv("CHASQUI_PORT_8080_TCP");
    buf_fini(&why);
}

static void flags_are_checked(void **state)
{
    static const struct {
        const char *flag, *value;
        enum err want;
        const char *why;
    } cases[] = {
        {"listen", "x:1", ERR_OK, ""},
        {"allow-private-networks", NULL, ERR_OK, ""},
        {"allow-private-networks", "false", ERR_OK, ""},
        {"listen", NULL, ERR_INVALID, "--listen needs a value"},
        {"workers", "65", ERR_INVALID, "--workers is \"65\"; the range is 1 to 64"},
        {"listn", "x", ERR_NOTFOUND, "there is no flag --listn; did you mean --listen?"},
    };
    struct buf why;
    bool known;

    (void)state;
    buf_init(&why, 300);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&why);
        assert_int_equal(option_set_flag(cases[i].flag, cases[i].value, &why), cases[i].want);
        assert_string_equal(buf_str(&why), cases[i].why);
    }
    assert_false(option_bool(OPT_ALLOW_PRIVATE));
    assert_true(option_flag_takes_value("listen", &known));
    assert_true(known);
    assert_false(option_flag_takes_value("allow-private-networks", &known));
    assert_true(known);
    assert_false(option_flag_takes_value("bogus", &known));
    assert_false(known);
    buf_reset(&why);
    option_show(OPT_LISTEN, &why);
    assert_string_equal(buf_str(&why), "x:1");
    buf_fini(&why);
}

/* A reload takes the rows that may change and names the others. */
static void reloads_take_what_they_may(void **state)
{
    static const char second[] = "[http]\nlisten = b:2\nthreads = 2\n[log]\nlevel = debug\n";
    char why[300];
    struct buf restart;

    (void)state;
    buf_init(&restart, 300);
    assert_int_equal(load("[http]\nlisten = a:1\n[send]\ndoubt_grace = 9s\n", why), ERR_OK);
    write_file(second, strlen(second));
    assert_int_equal(option_reload_file(path, &restart, NULL), ERR_OK);
    assert_string_equal(buf_str(&restart), "http.listen http.threads");
    assert_string_equal(option_text(OPT_LISTEN), "a:1");
    assert_string_equal(option_text(OPT_LOG_LEVEL), "debug");
    assert_int_equal(option_int(OPT_DOUBT_GRACE), 45000);
    assert_int_equal(option_int(OPT_HTTP_THREADS), 1);
    write_file("[log]\nlevel = warn\nbogus = 1\n", 29);
    assert_int_equal(option_reload_file(path, NULL, NULL), ERR_INVALID);
    assert_string_equal(option_text(OPT_LOG_LEVEL), "debug");
    buf_fini(&restart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(table_is_sound, start_fresh),
        cmocka_unit_test_setup(values_are_parsed_by_type, start_fresh),
        cmocka_unit_test_setup(files_are_read, start_fresh),
        cmocka_unit_test_setup(faults_of_files_name_the_place, start_fresh),
        cmocka_unit_test_setup(long_lines_are_whole, start_fresh),
        cmocka_unit_test_setup(higher_sources_win, start_fresh),
        cmocka_unit_test_setup(unknown_variables_are_refused, start_fresh),
        cmocka_unit_test_setup(flags_are_checked, start_fresh),
        cmocka_unit_test_setup(reloads_take_what_they_may, start_fresh),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
