/* encode_test.c: who gets gzip and who does not, tags, 304. */
#include "tests/unit/http/http_fixture.h"

#include <zlib.h>

#include "bridge/http/asset.h"
#include "bridge/http/encode.h"
#include "bridge/http/http_int.h"

#define BIG 5000

static char big[BIG + 1];
static struct http_asset page = {"text/html; charset=utf-8", big, BIG, NULL, NULL};
static struct http_asset picture = {"image/png", big, BIG, "public, max-age=60", NULL};

static void on_request(struct http_request *req, void *arg)
{
    const char *path = http_path(req);
    (void)arg;
    if (strcmp(path, "/page") == 0) {
        http_reply_asset(req, &page);
    } else if (strcmp(path, "/picture") == 0) {
        http_reply_asset(req, &picture);
    } else if (strcmp(path, "/small") == 0) {
        http_reply(req, 200, "application/json", big, 1023);
    } else if (strcmp(path, "/binary") == 0) {
        http_reply(req, 200, "application/octet-stream", big, BIG);
    } else if (strcmp(path, "/coded") == 0) {
        http_reply_header(req, "Content-Encoding", "br");
        http_reply(req, 200, "application/json", big, BIG);
    } else if (strcmp(path, "/stream") == 0) {
        http_stream_begin(req, 200, "text/event-stream", NULL, NULL, NULL);
        http_stream_write(req, big, BIG);
        http_stream_end(req);
    } else {
        http_reply(req, 200, "application/json", big, BIG);
    }
}

static int setup(void **state)
{
    struct http_config config;
    for (int i = 0; i < BIG; i++) {
        big[i] = (char)('a' + i % 7);
    }
    http_config_default(&config);
    config.on_request = on_request;
    *state = fixture_start(&config);
    return 0;
}

static int teardown(void **state)
{
    fixture_end(*state);
    return 0;
}

/* The bytes that a gzip body stands for. */
static size_t unpacked(const struct answer *answer, char *out, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)answer->body.data, .avail_in = (uInt)answer->body.len};
    assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    return room - stream.avail_out;
}

static void ask(const struct http_server *server, const char *method, const char *path, const char *fields,
                struct answer *answer)
{
    char text[1024];
    struct client client;
    client_open(&client, server);
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, path, fields);
    client_send(&client, text);
    assert_true(client_answer_to(&client, answer, strcmp(method, "HEAD") == 0));
    client_close(&client);
}

static void test_who_gets_gzip(void **state)
{
    static const struct {
        const char *path, *fields;
        bool packed, varies;
    } ROWS[] = {
        {"/", "Accept-Encoding: gzip\r\n", true, true},
        {"/", "", false, true},
        {"/", "Accept-Encoding: identity\r\n", false, true},
        {"/", "Accept-Encoding: br;q=1, GZIP;q=0.5\r\n", true, true},
        {"/", "Accept-Encoding: gzip;q=0\r\n", false, true},
        {"/", "Accept-Encoding: gzip; q=0.000, *\r\n", false, true},
        {"/", "Accept-Encoding: *\r\n", true, true},
        {"/", "Accept-Encoding: *;q=0\r\n", false, true},
        {"/", "Accept-Encoding: notgzip\r\n", false, true},
        {"/small", "Accept-Encoding: gzip\r\n", false, false},
        {"/binary", "Accept-Encoding: gzip\r\n", false, false},
        {"/stream", "Accept-Encoding: gzip\r\n", false, false},
        {"/page", "Accept-Encoding: gzip\r\n", true, true},
        {"/page", "", false, true},
        {"/picture", "Accept-Encoding: gzip\r\n", false, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct answer answer;
        char out[BIG];
        ask(*state, "GET", ROWS[i].path, ROWS[i].fields, &answer);
        const char *coding = answer_field(&answer, "Content-Encoding");
        if ((coding != NULL && strcmp(coding, "gzip") == 0) != ROWS[i].packed ||
            (answer_field(&answer, "Vary") != NULL) != ROWS[i].varies) {
            fail_msg("%s %s: %s", ROWS[i].path, ROWS[i].fields, answer.head);
        }
        if (ROWS[i].packed) {
            assert_int_equal(unpacked(&answer, out, sizeof out), BIG);
            assert_memory_equal(out, big, BIG);
        }
        answer_fini(&answer);
    }
}

static void test_what_is_coded_already_stays(void **state)
{
    struct answer answer;
    ask(*state, "GET", "/coded", "Accept-Encoding: gzip\r\n", &answer);
    assert_string_equal(answer_field(&answer, "Content-Encoding"), "br");
    assert_int_equal(answer.body.len, BIG);
    answer_fini(&answer);
}

static void test_head_says_the_same(void **state)
{
    struct answer got, head;
    char length[32];
    ask(*state, "GET", "/", "Accept-Encoding: gzip\r\n", &got);
    ask(*state, "HEAD", "/", "Accept-Encoding: gzip\r\n", &head);
    snprintf(length, sizeof length, "%zu", got.body.len);
    assert_string_equal(answer_field(&head, "Content-Length"), length);
    assert_string_equal(answer_field(&head, "Content-Encoding"), "gzip");
    answer_fini(&got);
    answer_fini(&head);
}

static void test_a_client_that_has_it_gets_304(void **state)
{
    struct answer answer;
    char tag[1024], fields[1200];
    ask(*state, "GET", "/page", "", &answer);
    snprintf(tag, sizeof tag, "%s", answer_field(&answer, "ETag"));
    assert_string_equal(answer_field(&answer, "Cache-Control"), "no-cache");
    answer_fini(&answer);
    snprintf(fields, sizeof fields, "If-None-Match: \"other\", %s\r\nAccept-Encoding: gzip\r\n", tag);
    ask(*state, "GET", "/page", fields, &answer);
    assert_int_equal(answer.status, 304);
    assert_string_equal(answer_field(&answer, "ETag"), tag);
    assert_string_equal(answer_field(&answer, "Vary"), "Accept-Encoding");
    assert_int_equal(answer.body.len, 0);
    answer_fini(&answer);
    ask(*state, "GET", "/page", "If-None-Match: \"other\"\r\n", &answer);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    ask(*state, "GET", "/picture", "", &answer);
    assert_string_equal(answer_field(&answer, "Cache-Control"), "public, max-age=60");
    answer_fini(&answer);
}

static void test_tags(void **state)
{
    static const struct {
        const char *condition;
        bool want;
    } ROWS[] = {
        {"W/\"a\"", true},
        {"\"a\"", true},
        {"*", true},
        {"\"b\",\"a\"", true},
        {"\"b\" , W/\"a\"", true},
        {"\"A\"", false},
        {"a", false},
        {"\"a", false},
        {"", false},
        {NULL, false},
        {"\"b, a\"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(http_tag_matches(ROWS[i].condition, "W/\"a\""), ROWS[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_gzip),
        cmocka_unit_test(test_what_is_coded_already_stays),
        cmocka_unit_test(test_head_says_the_same),
        cmocka_unit_test(test_a_client_that_has_it_gets_304),
        cmocka_unit_test(test_tags),
    };
    log_set(LOG_ERROR, LOG_KEYVALUE);
    return cmocka_run_group_tests(tests, setup, teardown);
}
