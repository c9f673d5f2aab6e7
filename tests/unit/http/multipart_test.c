/* multipart_test.c: the multipart reader byte by byte: what it hands on, what it refuses, whatever the
 * pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/http/http_int.h"
#include "bridge/http/multipart.h"

/* Everything a sink heard, as text: [name|filename|type]data; */
struct heard {
    struct buf text;
    unsigned stop_after; /* parts; 0: never */
    unsigned parts;
};

static bool on_part(const struct multipart_head *head, void *arg)
{
    struct heard *heard = arg;
    buf_addf(&heard->text, "[%s|%s|%s]", head->name, head->filename != NULL ? head->filename : "-",
             head->mime_type);
    return heard->stop_after == 0 || ++heard->parts <= heard->stop_after;
}

static bool on_data(const void *data, size_t size, void *arg)
{
    struct heard *heard = arg;
    buf_add(&heard->text, data, size);
    return true;
}

static bool on_end(void *arg)
{
    struct heard *heard = arg;
    buf_addc(&heard->text, ';');
    return true;
}

static const struct multipart_sink SINK = {on_part, on_data, on_end};

/* Reads a body in pieces of the given size; the reason of a refusal, NULL if it was taken. */
static const char *read_in(const char *body, size_t size, size_t piece, struct heard *heard)
{
    struct http_fault fault = {0, NULL};
    struct multipart *m = multipart_new("XX", &SINK, heard);
    bool fine = true;
    buf_init(&heard->text, 1u << 20);
    for (size_t at = 0; fine && at < size; at += piece) {
        /* A copy of its own, so that the address sanitizer sees a read beyond the piece. */
        size_t len = size - at < piece ? size - at : piece;
        char *copy = xmalloc(len);
        memcpy(copy, body + at, len);
        fine = multipart_take(m, copy, len, &fault);
        free(copy);
    }
    fine = fine && multipart_end(m, &fault);
    multipart_free(m);
    return fine ? NULL : fault.reason != NULL ? fault.reason : "stopped";
}

#define CD "Content-Disposition: form-data; name=\"a\"\r\n"
#define FILE_HEAD(filename) \
    "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"" filename "\"\r\n\r\n"
#define END "\r\n--XX--"

static const struct {
    const char *label, *body, *want; /* want NULL: refused */
} CASES[] = {
    {"a field", "--XX\r\n" CD "\r\nhello" END "\r\n", "[a|-|]hello;"},
    {"no CR LF at the end", "--XX\r\n" CD "\r\nhello" END, "[a|-|]hello;"},
    {"an empty field", "--XX\r\n" CD "\r\n" END, "[a|-|];"},
    {"two parts", "--XX\r\n" CD "\r\n1\r\n--XX\r\n" CD "\r\n2" END, "[a|-|]1;[a|-|]2;"},
    {"no parts", "--XX--", ""},
    {"preamble and epilogue", "read me\r\n--XX\r\n" CD "\r\n1" END "\r\nbye", "[a|-|]1;"},
    {"CR LF first", "\r\n--XX\r\n" CD "\r\n1" END, "[a|-|]1;"},
    {"dashes in the preamble", "--X\r\n--XX\r\n" CD "\r\n1" END, "[a|-|]1;"},
    {"padding behind a boundary", "--XX \t\r\n" CD "\r\n1\r\n--XX--  ", "[a|-|]1;"},
    {"almost boundaries in the data", "--XX\r\n" CD "\r\n\r\n--X\r\r\n-\r\n\r\n--\r\n--Xx" END,
     "[a|-|]\r\n--X\r\r\n-\r\n\r\n--\r\n--Xx;"},
    {"a boundary without CR LF is data", "--XX\r\n" CD "\r\nabc--XX--" END, "[a|-|]abc--XX--;"},
    {"a boundary behind LF is data", "--XX\r\n" CD "\r\nabc\n--XX--" END, "[a|-|]abc\n--XX--;"},
    {"type and other fields", "--XX\r\n" CD "X-Y: z\r\ncontent-TYPE:  image/png \r\n\r\n1" END,
     "[a|-|image/png]1;"},
    {"a file", FILE_HEAD("b.png") "1" END, "[a|b.png|]1;"},
    {"a file without a name", FILE_HEAD("") END, "[a||];"},
    {"token values", "--XX\r\nContent-Disposition: form-data; name=a; filename=b.c\r\n\r\n" END, "[a|b.c|];"},
    {"quotes as browsers send them", FILE_HEAD("a%22b%0D%0Ac%41.png") END, "[a|a_b__c%41.png|];"},
    {"a backslash before a quote", FILE_HEAD("a\\\"b.png") END, "[a|a_b.png|];"},
    {"a path of Windows", FILE_HEAD("C:\\dir\\b.png") END, "[a|b.png|];"},
    {"a path that climbs", FILE_HEAD("../../etc/passwd") END, "[a|passwd|];"},
    {"nothing but a path", FILE_HEAD("../..") END, "[a|file|];"},
    {"a hidden file", FILE_HEAD(".bashrc") END, "[a|bashrc|];"},
    {"writing turned round", FILE_HEAD("a\xe2\x80\xaegpj.exe") END, "[a|a_gpj.exe|];"},
    {"bytes that are no UTF-8", FILE_HEAD("\xff\xfe.png") END, "[a|__.png|];"},
    {"accents stay", FILE_HEAD("men\xc3\xba.png") END, "[a|men\xc3\xba.png|];"},
    {"an extended name",
     "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''men%C3%BA.png\r\n\r\n" END,
     "[a|men\xc3\xba.png|];"},
    {"the plain name wins",
     "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"; filename*=UTF-8''c\r\n\r\n" END,
     "[a|b|];"},
    {"binary as encoding", "--XX\r\n" CD "Content-Transfer-Encoding: binary\r\n\r\n1" END, "[a|-|]1;"},

    {"nothing", "", NULL},
    {"no last boundary", "--XX\r\n" CD "\r\nhello", NULL},
    {"half a last boundary", "--XX\r\n" CD "\r\nhello\r\n--XX-", NULL},
    {"another boundary", "--YY\r\n" CD "\r\nhello\r\n--YY--", NULL},
    {"a boundary that goes on", "--XXY\r\n" CD "\r\nhello" END, NULL},
    {"a boundary's line ends in LF", "--XX\n" CD "\r\nhello" END, NULL},
    {"a head ends in LF", "--XX\r\nContent-Disposition: form-data; name=\"a\"\n\r\n" END, NULL},
    {"no disposition", "--XX\r\nContent-Type: a/b\r\n\r\n1" END, NULL},
    {"no head at all", "--XX\r\n\r\n1" END, NULL},
    {"two dispositions", "--XX\r\n" CD CD "\r\n1" END, NULL},
    {"another disposition", "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1" END, NULL},
    {"no name", "--XX\r\nContent-Disposition: form-data\r\n\r\n1" END, NULL},
    {"two names", "--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1" END, NULL},
    {"a name without an end", "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1" END, NULL},
    {"a name that is no UTF-8", "--XX\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n1" END, NULL},
    {"a folded field", "--XX\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n1" END, NULL},
    {"a field without a colon", "--XX\r\n" CD "oops\r\n\r\n1" END, NULL},
    {"a space before the colon", "--XX\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n1" END, NULL},
    {"base64", "--XX\r\n" CD "Content-Transfer-Encoding: base64\r\n\r\nMQ==" END, NULL},
    {"an extended name of another alphabet",
     "--XX\r\nContent-Disposition: form-data; name=a; filename*=latin1''b\r\n\r\n" END, NULL},
};

static void test_every_case_in_pieces_of_every_size(void **state)
{
    static const size_t PIECES[] = {1, 2, 3, 7, 64, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        for (size_t k = 0; k < sizeof PIECES / sizeof *PIECES; k++) {
            struct heard heard = {.stop_after = 0};
            const char *why = read_in(CASES[i].body, strlen(CASES[i].body), PIECES[k], &heard);
            if ((why == NULL) != (CASES[i].want != NULL)) {
                fail_msg("%s, pieces of %zu: %s", CASES[i].label, PIECES[k], why != NULL ? why : "taken");
            }
            if (why == NULL && strcmp(buf_str(&heard.text), CASES[i].want) != 0) {
                fail_msg("%s, pieces of %zu: heard %s", CASES[i].label, PIECES[k], buf_str(&heard.text));
            }
            buf_fini(&heard.text);
        }
    }
}

static void test_zeros_are_data_and_no_head(void **state)
{
    static const char GOOD[] = "--XX\r\n" CD "\r\na\0b" END;
    static const char BAD[] = "--XX\r\nX: \0\r\n" CD "\r\n1" END;
    struct heard heard = {.stop_after = 0};
    (void)state;
    assert_null(read_in(GOOD, sizeof GOOD - 1, 5, &heard));
    assert_int_equal(heard.text.len, strlen("[a|-|]") + 4);
    buf_fini(&heard.text);
    assert_non_null(read_in(BAD, sizeof BAD - 1, 5, &heard));
    buf_fini(&heard.text);
}

/* A body with so many bytes of one letter where %s stands. */
static const char *refusal_of(const char *before, size_t count, const char *behind)
{
    struct buf body;
    struct heard heard = {.stop_after = 0};
    buf_init(&body, 1u << 20);
    buf_adds(&body, before);
    for (size_t i = 0; i < count; i++) {
        buf_addc(&body, 'x');
    }
    buf_adds(&body, behind);
    const char *why = read_in(buf_str(&body), body.len, 4096, &heard);
    buf_fini(&heard.text);
    buf_fini(&body);
    return why;
}

static void test_what_is_held_has_a_bound(void **state)
{
    (void)state;
    assert_null(refusal_of("--XX\r\nX: ", 7000, "\r\n" CD "\r\n1" END));
    assert_non_null(refusal_of("--XX\r\nX: ", MULTIPART_HEAD_MAX, "\r\n" CD "\r\n1" END));
    assert_null(refusal_of("", 4000, "\r\n--XX\r\n" CD "\r\n1" END));
    assert_non_null(refusal_of("", 5000, "\r\n--XX\r\n" CD "\r\n1" END));
    assert_null(refusal_of("--XX\r\n" CD "\r\n1" END, 4000, ""));
    assert_non_null(refusal_of("--XX\r\n" CD "\r\n1" END, 5000, ""));
}

static void test_a_sink_can_stop(void **state)
{
    struct heard heard = {.stop_after = 1};
    const char *two = "--XX\r\n" CD "\r\n1\r\n--XX\r\n" CD "\r\n2" END;
    (void)state;
    assert_string_equal(read_in(two, strlen(two), 9, &heard), "stopped");
    buf_fini(&heard.text);
}

static void test_boundaries_out_of_types(void **state)
{
    static const struct {
        const char *type, *want; /* want NULL: refused */
    } ROWS[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"Multipart/Form-Data;boundary=\"a b\"; charset=utf-8", "a b"},
        {"multipart/form-data; charset=utf-8; BOUNDARY=abc;", "abc"},
        {"multipart/mixed; boundary=abc", ""},
        {"application/json", ""},
        {NULL, ""},
        {"multipart/form-data", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"abc", NULL},
        {"multipart/form-data; boundary=abc; boundary=abc", NULL},
        {"multipart/form-data; boundary=\"a\\b\"", NULL},
        {"multipart/form-data; boundary=\"ab \"", NULL},
        {"multipart/form-data; "
         "boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123456789"},
        {"multipart/form-data; "
         "boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf boundary;
        buf_init(&boundary, 256);
        bool fine = multipart_boundary(ROWS[i].type, &boundary);
        if (fine != (ROWS[i].want != NULL) || (fine && strcmp(buf_str(&boundary), ROWS[i].want) != 0)) {
            fail_msg("%s: %s", ROWS[i].type, buf_str(&boundary));
        }
        buf_fini(&boundary);
    }
}

static void test_long_names_keep_their_ending(void **state)
{
    struct buf said, out;
    (void)state;
    buf_init(&said, 4096);
    buf_init(&out, 4096);
    for (int i = 0; i < 300; i++) {
        buf_adds(&said, "\xc3\xa9");
    }
    buf_adds(&said, ".jpeg");
    words_filename(buf_str(&said), &out);
    assert_true(out.len <= 200 && out.len > 190);
    assert_string_equal(buf_str(&out) + out.len - 5, ".jpeg");
    assert_true((out.len - 5) % 2 == 0);
    buf_fini(&said);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_in_pieces_of_every_size),
        cmocka_unit_test(test_zeros_are_data_and_no_head),
        cmocka_unit_test(test_what_is_held_has_a_bound),
        cmocka_unit_test(test_a_sink_can_stop),
        cmocka_unit_test(test_boundaries_out_of_types),
        cmocka_unit_test(test_long_names_keep_their_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
