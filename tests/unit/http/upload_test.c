/* upload_test.c: bodies that go to files: what the handler gets, what is refused, what is left on the disk.
 */
#include "tests/unit/http/http_fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#include "bridge/http/upload.h"

#define FILE_MAX  100000
#define FIELD_MAX 1000

struct room {
    char dir[64], uploads[80];
    struct http_server *server;
};

static void on_head(struct http_request *req, size_t *body_max, void *arg)
{
    static const struct http_upload_limits LIMITS = {FILE_MAX, 3, FIELD_MAX};
    (void)arg;
    *body_max = 1u << 20;
    if (strcmp(http_path(req), "/up") == 0) {
        http_upload_begin(req, &LIMITS);
    }
}

/* Lists the parts, and says whether each file is there with its size. */
static void on_request(struct http_request *req, void *arg)
{
    struct buf text;
    struct stat info;
    unsigned count = 0;
    const struct http_part *parts = http_parts(req, &count);
    (void)arg;
    buf_init(&text, ANSWER_MAX);
    for (unsigned i = 0; i < count; i++) {
        const struct http_part *part = &parts[i];
        bool there = part->path != NULL && stat(part->path, &info) == 0 &&
                     (uint64_t)info.st_size == part->size && (info.st_mode & 0777) == 0600;
        buf_addf(&text, "%s|%s|%s|%s|%d|%llu|%.8s\n", part->name,
                 part->filename != NULL ? part->filename : "-", part->mime_type,
                 part->value != NULL ? part->value : "-", there, (unsigned long long)part->size,
                 part->sha256);
    }
    http_reply(req, 200, "text/plain", buf_str(&text), text.len);
    buf_fini(&text);
}

static unsigned files_in(const char *dir)
{
    unsigned count = 0;
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count;
}

static int setup(void **state)
{
    static struct room room;
    struct http_config config;
    snprintf(room.dir, sizeof room.dir, "/tmp/chasqui-upload-XXXXXX");
    assert_non_null(mkdtemp(room.dir));
    snprintf(room.uploads, sizeof room.uploads, "%s/uploads", room.dir);
    http_config_default(&config);
    config.on_head = on_head;
    config.on_request = on_request;
    config.upload_dir = room.uploads;
    room.server = fixture_start(&config);
    *state = &room;
    return 0;
}

static int teardown(void **state)
{
    struct room *room = *state;
    fixture_end(room->server);
    assert_int_equal(files_in(room->uploads), 0);
    rmdir(room->uploads);
    rmdir(room->dir);
    return 0;
}

/* Posts a body and reads the answer. */
static int post(const struct room *room, const char *type, const void *body, size_t size,
                struct answer *answer)
{
    char head[512];
    struct client client;
    client_open(&client, room->server);
    snprintf(head, sizeof head,
             "POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, size);
    client_send(&client, head);
    client_send_bytes(&client, body, size);
    bool answered = client_answer(&client, answer);
    client_close(&client);
    assert_true(answered);
    return answer->status;
}

static int post_text(const struct room *room, const char *type, const char *body, struct answer *answer)
{
    return post(room, type, body, strlen(body), answer);
}

#define FORM "multipart/form-data; boundary=XX"

static void test_files_and_fields_arrive(void **state)
{
    struct answer answer;
    int status = post_text(*state, FORM,
                           "--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n"
                           "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a.txt\"\r\n"
                           "Content-Type: text/plain\r\n\r\nabc\r\n--XX--\r\n",
                           &answer);
    assert_int_equal(status, 200);
    assert_string_equal(buf_str(&answer.body), "note|-||hello|0|5|\nfile|a.txt|text/plain|-|1|3|ba7816bf\n");
    answer_fini(&answer);
}

static void test_any_other_body_is_one_file(void **state)
{
    struct answer answer;
    assert_int_equal(post_text(*state, "image/png", "abc", &answer), 200);
    assert_string_equal(buf_str(&answer.body), "|-|image/png|-|1|3|ba7816bf\n");
    answer_fini(&answer);
}

static void test_chunked_bodies_are_the_same(void **state)
{
    const struct room *room = *state;
    struct client client;
    struct answer answer;
    client_open(&client, room->server);
    client_send(
        &client,
        "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "|-||-|1|3|ba7816bf\n");
    answer_fini(&answer);
    client_close(&client);
}

/* A form with one part of so many bytes. */
static int post_sized(const struct room *room, bool file, size_t size)
{
    struct answer answer;
    struct buf body;
    buf_init(&body, 1u << 20);
    buf_addf(&body, "--XX\r\nContent-Disposition: form-data; name=\"a\"%s\r\n\r\n",
             file ? "; filename=\"f\"" : "");
    for (size_t i = 0; i < size; i++) {
        buf_addc(&body, 'x');
    }
    buf_adds(&body, "\r\n--XX--");
    int status = post(room, FORM, buf_str(&body), body.len, &answer);
    buf_fini(&body);
    answer_fini(&answer);
    return status;
}

static void test_limits_hold_to_the_byte(void **state)
{
    assert_int_equal(post_sized(*state, true, FILE_MAX), 200);
    assert_int_equal(post_sized(*state, true, FILE_MAX + 1), 413);
    assert_int_equal(post_sized(*state, false, FIELD_MAX), 200);
    assert_int_equal(post_sized(*state, false, FIELD_MAX + 1), 413);
}

static void test_refusals(void **state)
{
#define PART "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n1\r\n"
    static const struct {
        const char *type, *body;
        int want;
    } ROWS[] = {
        {FORM, PART PART PART "--XX--", 200},
        {FORM, PART PART PART PART "--XX--", 413},
        {FORM, PART "--XX-", 400},
        {FORM, "rubbish", 400},
        {"multipart/form-data", PART "--XX--", 400},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct answer answer;
        assert_int_equal(post_text(*state, ROWS[i].type, ROWS[i].body, &answer), ROWS[i].want);
        answer_fini(&answer);
    }
}

static bool nothing_left(void *arg)
{
    return files_in(arg) == 0;
}

static void test_a_client_that_leaves_leaves_nothing(void **state)
{
    struct room *room = *state;
    struct client client;
    client_open(&client, room->server);
    client_send(&client, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
    int64_t end = fixture_now() + FIXTURE_WAIT_MS;
    while (files_in(room->uploads) == 0 && fixture_now() < end) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(files_in(room->uploads), 1);
    client_close(&client);
    assert_true(fixture_until(nothing_left, room->uploads));
}

static void test_a_start_removes_what_a_crash_left(void **state)
{
    char path[128], other[128];
    struct room *room = *state;
    struct http_config config;
    snprintf(path, sizeof path, "%s/up-0123", room->uploads);
    snprintf(other, sizeof other, "%s/mine", room->uploads);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    close(open(other, O_CREAT | O_WRONLY, 0600));
    http_config_default(&config);
    config.on_request = on_request;
    config.upload_dir = room->uploads;
    struct http_server *server = fixture_start(&config);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(other), 0);
    fixture_end(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_fields_arrive),
        cmocka_unit_test(test_any_other_body_is_one_file),
        cmocka_unit_test(test_chunked_bodies_are_the_same),
        cmocka_unit_test(test_limits_hold_to_the_byte),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_client_that_leaves_leaves_nothing),
        cmocka_unit_test(test_a_start_removes_what_a_crash_left),
    };
    log_set(LOG_ERROR, LOG_KEYVALUE);
    return cmocka_run_group_tests(tests, setup, teardown);
}
