/* platform_test.c: what goes to the WhatsApp platform and what its answers mean; fields and contents that are
 * refused. */
#include "channels/channels_int.h"
#include "channels/text.h"
#include "channels/whatsapp/whatsapp.h"
#include "channels_fixture.h"

static void test_send_body(void **state)
{
#define PHONE \
    "{\"identities\":[{\"type\":\"phone\",\"value\":\"+1650\"},{\"type\":\"bsuid\",\"value\":\"US.7\"}]}"
#define BSUID "{\"identities\":[{\"type\":\"bsuid\",\"value\":\"US.7\"}]}"
#define HEAD  "{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\","
#define TAIL  ",\"biz_opaque_callback_data\":\"msg_1\"}"
    static const struct {
        const char *label, *contact, *message, *want;
    } rows[] = {
        {"text to a phone", PHONE, "{\"id\":\"msg_1\",\"type\":\"text\",\"text\":\"hi\"}",
         HEAD "\"to\":\"+1650\",\"type\":\"text\",\"text\":{\"body\":\"hi\",\"preview_url\":false}" TAIL},
        {"text to a BSUID", BSUID, "{\"id\":\"msg_1\",\"type\":\"text\",\"text\":\"hi\"}",
         HEAD
         "\"recipient\":\"US.7\",\"type\":\"text\",\"text\":{\"body\":\"hi\",\"preview_url\":false}" TAIL},
        {"with preview", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"text\",\"text\":\"hi\",\"content\":{\"preview_url\":true}}",
         HEAD "\"to\":\"+1650\",\"type\":\"text\",\"text\":{\"body\":\"hi\",\"preview_url\":true}" TAIL},
        {"as a reply", PHONE, "{\"id\":\"msg_1\",\"type\":\"text\",\"text\":\"hi\",\"reply_to\":\"wamid.Q\"}",
         HEAD
         "\"to\":\"+1650\",\"type\":\"text\",\"text\":{\"body\":\"hi\",\"preview_url\":false},\"context\":{"
         "\"message_id\":\"wamid.Q\"}" TAIL},
        {"image with the text as caption", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"image\",\"text\":\"look\",\"content\":{\"link\":\"https://e.x/"
         "a.png\"}}",
         HEAD "\"to\":\"+1650\",\"type\":\"image\",\"image\":{\"link\":\"https://e.x/"
              "a.png\",\"caption\":\"look\"}" TAIL},
        {"image with a caption of its own", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"image\",\"text\":\"look\",\"content\":{\"id\":\"9\",\"caption\":"
         "\"own\"}}",
         HEAD "\"to\":\"+1650\",\"type\":\"image\",\"image\":{\"id\":\"9\",\"caption\":\"own\"}" TAIL},
        {"audio has no caption", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"audio\",\"text\":\"x\",\"content\":{\"id\":\"9\"}}",
         HEAD "\"to\":\"+1650\",\"type\":\"audio\",\"audio\":{\"id\":\"9\"}" TAIL},
        {"template", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"template\",\"text\":\"\",\"content\":{\"name\":\"n\",\"language\":{"
         "\"code\":\"en\"}}}",
         HEAD "\"to\":\"+1650\",\"type\":\"template\",\"template\":{\"name\":\"n\",\"language\":{\"code\":"
              "\"en\"}}" TAIL},
        {"reaction taken back", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"reaction\",\"content\":{\"message_id\":\"wamid.Q\",\"emoji\":\"\"}}",
         HEAD "\"to\":\"+1650\",\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.Q\",\"emoji\":"
              "\"\"}" TAIL},
        {"location", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"location\",\"content\":{\"latitude\":1.5,\"longitude\":2}}",
         HEAD "\"to\":\"+1650\",\"type\":\"location\",\"location\":{\"latitude\":1.5,\"longitude\":2}" TAIL},
        {"contact cards", PHONE,
         "{\"id\":\"msg_1\",\"type\":\"contacts\",\"content\":{\"contacts\":[{\"name\":{}}]}}",
         HEAD "\"to\":\"+1650\",\"type\":\"contacts\",\"contacts\":[{\"name\":{}}]" TAIL},
        {"nobody", "{\"identities\":[{\"type\":\"email\",\"value\":\"a@b\"}]}",
         "{\"id\":\"msg_1\",\"type\":\"text\",\"text\":\"hi\"}", NULL},
        {"no content", PHONE, "{\"id\":\"msg_1\",\"type\":\"image\",\"text\":\"hi\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *contact = json_loads(rows[i].contact, 0, NULL);
        json_t *message = json_loads(rows[i].message, 0, NULL);
        json_t *body = whatsapp_send_body(contact, message);
        char *got = body != NULL ? jx_text(body) : NULL;
        if ((got == NULL) != (rows[i].want == NULL) || (got != NULL && strcmp(got, rows[i].want) != 0)) {
            fail_msg("%s: %s", rows[i].label, got != NULL ? got : "nothing");
        }
        free(got);
        json_decref(body);
        json_decref(contact);
        json_decref(message);
    }
}

static struct send_result judge(long status, const char *body, unsigned attempt)
{
    static json_t *root; /* texts of the result point into it */

    json_decref(root);
    root = json_loads(body, 0, NULL);
    return whatsapp_judge(status, root, attempt);
}

static void test_judge(void **state)
{
#define CODE(c) "{\"error\":{\"message\":\"m\",\"code\":" #c "}}"
    static const struct {
        const char *label;
        long status;
        const char *body;
        unsigned attempt;
        enum send_outcome want;
        int64_t least_ms, most_ms; /* of the wait */
    } rows[] = {
        {"accepted", 200, "{\"messages\":[{\"id\":\"w\"}]}", 1, SEND_ACCEPTED, 0, 0},
        {"200 without an id", 200, "{}", 1, SEND_UNKNOWN, 0, 0},
        {"200 that is no JSON", 200, "", 1, SEND_UNKNOWN, 0, 0},
        {"gateway gave up", 504, "", 1, SEND_UNKNOWN, 0, 0},
        {"token", 401, CODE(190), 1, SEND_CHANNEL, 0, 0},
        {"token, code 0", 401, CODE(0), 1, SEND_CHANNEL, 0, 0},
        {"401 without a code", 401, "{}", 1, SEND_CHANNEL, 0, 0},
        {"permission range", 403, CODE(230), 1, SEND_CHANNEL, 0, 0},
        {"account locked", 403, CODE(131031), 1, SEND_CHANNEL, 0, 0},
        {"payment", 400, CODE(131042), 1, SEND_CHANNEL, 0, 0},
        {"unknown request, first", 400, CODE(1), 1, SEND_LATER, 500, 1000},
        {"unknown request, second", 400, CODE(1), 2, SEND_LATER, 1000, 2000},
        {"unknown request, third", 400, CODE(1), 3, SEND_REFUSED, 0, 0},
        {"something went wrong", 500, CODE(131000), 4, SEND_LATER, 4000, 8000},
        {"something went wrong, fifth", 500, CODE(131000), 5, SEND_REFUSED, 0, 0},
        {"throughput, tenth", 400, CODE(130429), 10, SEND_LATER, 256000, 512000},
        {"pair limit, first", 400, CODE(131056), 1, SEND_LATER, 500, 1000},
        {"pair limit, fourth", 400, CODE(131056), 4, SEND_LATER, 32000, 64000},
        {"pair limit, hundredth", 400, CODE(131056), 100, SEND_LATER, 1800000, 3600000},
        {"upgrade", 500, CODE(131057), 5, SEND_LATER, 30000, 60000},
        {"spam limit", 400, CODE(131048), 1, SEND_LATER, 1800000, 3600000},
        {"window", 400, CODE(131047), 1, SEND_REFUSED, 0, 0},
        {"undeliverable", 400, CODE(131026), 1, SEND_REFUSED, 0, 0},
        {"template paused", 400, CODE(132015), 1, SEND_REFUSED, 0, 0},
        {"code of tomorrow, 400", 400, CODE(999999), 1, SEND_REFUSED, 0, 0},
        {"code of tomorrow, 429", 429, CODE(999999), 1, SEND_LATER, 1000, 2000},
        {"code of tomorrow, 503", 503, CODE(999999), 1, SEND_LATER, 1000, 2000},
        {"moved", 302, "", 1, SEND_LATER, 1000, 2000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct send_result got = judge(rows[i].status, rows[i].body, rows[i].attempt);
        if (got.outcome != rows[i].want || got.retry_ms < rows[i].least_ms ||
            got.retry_ms > rows[i].most_ms) {
            fail_msg("%s: outcome %d, wait %lld", rows[i].label, (int)got.outcome, (long long)got.retry_ms);
        }
        assert_true(got.outcome == SEND_ACCEPTED ||
                    (got.code != NULL && got.title != NULL && got.detail != NULL));
    }
    (void)judge(200, "{}", 1);
}

/* The table's rows rise and do not overlap, and each leads to an outcome. */
static void test_error_rows(void **state)
{
    int64_t last = -1;
    unsigned count = 0;

    (void)state;
    for (const struct whatsapp_error *row = whatsapp_error_at(0); row != NULL;
         row = whatsapp_error_at(++count)) {
        assert_true(row->first > last && row->last >= row->first);
        last = row->last;
        assert_ptr_equal(whatsapp_error_row(row->first), row);
        assert_ptr_equal(whatsapp_error_row(row->last), row);
        assert_true((row->class == WHATSAPP_RETRY) == (row->wait_ms > 0));
        char *body = xasprintf("{\"error\":{\"code\":%lld}}", (long long)row->first);
        assert_int_not_equal(judge(400, body, 1).outcome, SEND_ACCEPTED);
        free(body);
    }
    assert_true(count > 50);
    assert_null(whatsapp_error_row(5));
    (void)judge(200, "null", 1);
}

static void test_phone(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"+14155550123", "+14155550123"},
        {"14155550123", "+14155550123"},
        {"+1 (415) 555-0123", "+14155550123"},
        {"+1.415.555.0123", "+14155550123"},
        {"+250 788 123 200", "+250788123200"},
        {"1234567", "+1234567"},
        {"123456", NULL},
        {"123456789012345", "+123456789012345"},
        {"1234567890123456", NULL},
        {"+0123456789", NULL},
        {"0049123456789", NULL},
        {"", NULL},
        {"+", NULL},
        {"++14155550123", NULL},
        {"1+4155550123", NULL},
        {"+1415555o123", NULL},
        {"US.13491208655302741918", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[24];
        bool good = contact_phone_normalise(rows[i].text, out);
        if (good != (rows[i].want != NULL) || (good && strcmp(out, rows[i].want) != 0)) {
            fail_msg("%s: %s", rows[i].text, good ? out : "refused");
        }
    }
}

static void test_identity(void **state)
{
    static const struct {
        const char *text, *type, *value;
    } rows[] = {
        {"+1 415 555 0123", "phone", "+14155550123"},
        {"US.13491208655302741918", "bsuid", "US.13491208655302741918"},
        {"US.ENT.11815799212886844830", "bsuid", "US.ENT.11815799212886844830"},
        {"us.1349", NULL, NULL},
        {"US.", NULL, NULL},
        {"US.13-49", NULL, NULL},
        {"phone:+1 415 555 0123", "phone", "+14155550123"},
        {"phone:me", NULL, NULL},
        {"email:ana@example.com", "email", "ana@example.com"},
        {"external:crm:77", "external", "crm:77"},
        {"username:ana", "username", "ana"},
        {"fax:1", NULL, NULL},
        {"email:", NULL, NULL},
        {"ana", NULL, NULL},
        {"", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *identity = contact_identity_parse(rows[i].text);
        if ((identity == NULL) != (rows[i].type == NULL)) {
            fail_msg("%s", rows[i].text);
        }
        if (identity != NULL) {
            assert_string_equal(jx_str(identity, "type"), rows[i].type);
            assert_string_equal(jx_str(identity, "value"), rows[i].value);
        }
        json_decref(identity);
    }
}

static void test_text_pieces(void **state)
{
#define WAVE "\xf0\x9f\x91\x8b" /* two units */
    static const struct {
        const char *label, *text;
        size_t max;
        const char *want; /* pieces, joined with | */
    } rows[] = {
        {"fits", "short", 16, "short"},
        {"blanks are dropped", "  short \n", 16, "short"},
        {"nothing but blanks", " \n ", 16, ""},
        {"at a word", "one two three four five", 16, "one two three|four five"},
        {"at a sentence", "It is so. And then it is not so", 20, "It is so.|And then it is not|so"},
        {"at a line", "first line here\nsecond line", 20, "first line here|second line"},
        {"at a paragraph", "one. two.\n\nthree four five", 20, "one. two.|three four five"},
        {"a paragraph too early", "a\n\nbbbb cccc dddd eeee ffff", 20, "a\n\nbbbb cccc dddd|eeee ffff"},
        {"no blank at all", "abcdefghijklmnopqrstuvwxyz", 16, "abcdefghijklmnop|qrstuvwxyz"},
        {"surrogates stay together", WAVE WAVE WAVE WAVE WAVE WAVE WAVE WAVE WAVE, 17,
         WAVE WAVE WAVE WAVE WAVE WAVE WAVE WAVE "|" WAVE},
        {"a mark stays with its letter", "abcdefghijklmnoe\xcc\x81xyz", 16, "abcdefghijklmno|e\xcc\x81xyz"},
        {"a family stays together", "abcdefghijkl\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7z", 16,
         "abcdefghijkl|\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7z"},
        {"full-width stops",
         "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd"
         "\xe4\xbd\xa0\xe3\x80\x82\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd"
         "\xe4\xbd\xa0",
         16,
         "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd"
         "\xe4\xbd\xa0\xe3\x80\x82|"
         "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *rest = rows[i].text;
        struct text_piece piece;
        struct buf got;
        buf_init(&got, 1000);
        while (text_next(&rest, rows[i].max, &piece)) {
            buf_adds(&got, got.len > 0 ? "|" : "");
            buf_add(&got, piece.start, piece.len);
        }
        if (strcmp(buf_str(&got), rows[i].want) != 0) {
            fail_msg("%s: %s", rows[i].label, buf_str(&got));
        }
        buf_fini(&got);
    }
    assert_int_equal(text_units("a\xc3\xa4\xe2\x82\xac" WAVE), 5);
}

static void test_channel_fields(void **state)
{
    static const struct {
        const char *label, *field, *value; /* value as JSON; NULL: left out */
        bool good;
    } rows[] = {
        {"as it is", "name", "\"Shop\"", true},
        {"without number", "phone_number_id", NULL, false},
        {"without token", "access_token", NULL, false},
        {"without secret", "app_secret", NULL, false},
        {"without verify token", "verify_token", NULL, false},
        {"without display number", "display_phone_number", NULL, true},
        {"number that is no text", "phone_number_id", "123", false},
        {"number with a slash", "phone_number_id", "\"1/2\"", false},
        {"empty token", "access_token", "\"\"", false},
        {"token of two lines", "access_token", "\"a\\nb\"", false},
        {"null token", "access_token", "null", false},
        {"null name", "name", "null", true},
        {"another type", "type", "\"pigeon\"", false},
        {"no type", "type", NULL, false},
        {"version", "graph_version", "\"v23.0\"", true},
        {"version without v", "graph_version", "\"23.0\"", false},
        {"version with a path", "graph_version", "\"v23.0/x\"", false},
        {"url", "graph_url", "\"https://graph.example.com/base\"", true},
        {"url of loopback", "graph_url", "\"http://127.0.0.1:9000\"", true},
        {"url without host", "graph_url", "\"https://\"", false},
        {"file url", "graph_url", "\"file:///etc/passwd\"", false},
        {"url with a user", "graph_url", "\"https://me@example.com\"", false},
        {"url with a query", "graph_url", "\"https://example.com/?a=b\"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *body = fixture_whatsapp_body();
        json_t *channel = NULL;
        const char *field = "";
        struct buf why;
        struct changes *cs = changes_new();
        buf_init(&why, 400);
        if (rows[i].value != NULL) {
            jx_set(body, rows[i].field, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        } else {
            json_object_del(body, rows[i].field);
        }
        enum err rc = channel_create(cs, PART, "agt_1", body, &channel, &field, &why);
        if ((rc == ERR_OK) != rows[i].good ||
            (rc != ERR_OK && (strcmp(field, rows[i].field) != 0 || why.len == 0))) {
            fail_msg("%s: %s, field %s: %s", rows[i].label, err_name(rc), field, buf_str(&why));
        }
        assert_int_equal(changes_any(cs), rows[i].good);
        changes_free(cs);
        buf_fini(&why);
        json_decref(channel);
        json_decref(body);
    }
}

/* Credentials are nowhere in the clear, neither stored nor shown. */
static void test_channel_secrets(void **state)
{
    json_t *body = fixture_whatsapp_body();
    json_t *channel = NULL;
    const char *field = NULL;
    struct buf why, secret;
    struct changes *cs = changes_new();

    (void)state;
    buf_init(&why, 400);
    buf_init(&secret, 400);
    assert_int_equal(channel_create(cs, PART, "agt_1", body, &channel, &field, &why), ERR_OK);
    json_t *view = channel_public(channel);
    char *stored = jx_text(channel), *shown = jx_text(view);
    static const char *const secrets[] = {"EAAtoken", "secret-of", "our-token"};
    for (size_t i = 0; i < 3; i++) {
        assert_null(strstr(stored, secrets[i]));
        assert_null(strstr(shown, secrets[i]));
    }
    assert_null(json_object_get(view, "sealed"));
    assert_true(jx_bool(jx_at(view, "/credentials/access_token"), "set", false));
    assert_false(jx_bool(jx_at(view, "/credentials/app_secret_previous"), "set", true));
    assert_string_equal(jx_str(jx_at(view, "/credentials/access_token"), "last4"), "7890");
    assert_null(jx_str(jx_at(view, "/credentials/verify_token"), "last4"));
    assert_memory_equal(jx_str(view, "webhook_path"), "/hooks/whatsapp/chn_", 20);
    assert_int_equal(channel_secret(PART, channel, "access_token", &secret), ERR_OK);
    assert_string_equal(buf_str(&secret), "EAAtoken-1234567890");
    assert_int_equal(channel_secret(PART_TEST, channel, "access_token", &secret), ERR_DENIED);
    assert_int_equal(channel_secret(PART, channel, "app_secret_previous", &secret), ERR_NOTFOUND);
    free(stored);
    free(shown);
    json_decref(view);
    json_decref(channel);
    json_decref(body);
    changes_free(cs);
    buf_fini(&why);
    buf_fini(&secret);
}

static void test_usage(void **state)
{
    static const struct {
        const char *label, *header;
        int64_t want;
    } rows[] = {
        {"none", NULL, 0},
        {"no JSON", "soon", 0},
        {"a list", "[1]", 0},
        {"little", "{\"call_count\":28,\"total_time\":25,\"total_cputime\":25}", 0},
        {"near", "{\"call_count\":80}", 100},
        {"nearer", "{\"call_count\":10,\"total_cputime\":95}", 1600},
        {"full", "{\"total_time\":100}", 60000},
        {"full, with an estimate", "{\"call_count\":100,\"estimated_time_to_regain_access\":3}", 180000},
        {"an absurd estimate", "{\"estimated_time_to_regain_access\":100000}", 3600000},
        {"by account", "{\"1\":[{\"type\":\"x\",\"call_count\":1}],\"2\":[{\"call_count\":90}]}", 1100},
        {"by account, with an estimate", "{\"1\":[{\"estimated_time_to_regain_access\":1}]}", 60000},
        {"odd figures", "{\"call_count\":\"90\",\"1\":[7,null]}", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = whatsapp_usage_hold(rows[i].header);
        if (got != rows[i].want) {
            fail_msg("%s: %lld", rows[i].label, (long long)got);
        }
    }
}

static void test_content_check(void **state)
{
    static const struct {
        const char *label, *type, *text, *content, *field; /* field NULL: fine */
    } rows[] = {
        {"text", "text", "hi", NULL, NULL},
        {"no text", "text", "", NULL, "/text"},
        {"blank text", "text", " \n", NULL, "/text"},
        {"image by link", "image", "", "{\"link\":\"https://e.x/a\"}", NULL},
        {"image by id", "image", "", "{\"id\":\"9\"}", NULL},
        {"image by both", "image", "", "{\"id\":\"9\",\"link\":\"https://e.x/a\"}", "/link"},
        {"image by neither", "image", "", "{}", "/link"},
        {"image by a file", "image", "", "{\"link\":\"file:///a\"}", "/link"},
        {"image without content", "image", "hi", NULL, ""},
        {"template", "template", "", "{\"name\":\"n\",\"language\":{\"code\":\"en\"}}", NULL},
        {"template without name", "template", "", "{\"language\":{\"code\":\"en\"}}", "/name"},
        {"template without language", "template", "", "{\"name\":\"n\"}", "/language/code"},
        {"template with odd components", "template", "",
         "{\"name\":\"n\",\"language\":{\"code\":\"en\"},\"components\":1}", "/components"},
        {"interactive without action", "interactive", "", "{\"type\":\"button\"}", "/action"},
        {"interactive with an empty body", "interactive", "",
         "{\"type\":\"button\",\"body\":{},\"action\":{}}", "/body/text"},
        {"a type of tomorrow's kind", "interactive", "", "{\"type\":\"hologram\",\"action\":{}}", NULL},
        {"reaction", "reaction", "", "{\"message_id\":\"w\",\"emoji\":\"\"}", NULL},
        {"reaction without emoji", "reaction", "", "{\"message_id\":\"w\"}", "/emoji"},
        {"location", "location", "", "{\"latitude\":-90,\"longitude\":180}", NULL},
        {"location off the globe", "location", "", "{\"latitude\":91,\"longitude\":0}", "/latitude"},
        {"contacts", "contacts", "", "{\"contacts\":[{\"name\":{\"formatted_name\":\"A\"}}]}", NULL},
        {"a card without a name", "contacts", "", "{\"contacts\":[{}]}", "/contacts/0/name/formatted_name"},
        {"no contacts", "contacts", "", "[]", "/contacts"},
        {"a type of tomorrow", "hologram", "", "{}", "/type"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *content = rows[i].content != NULL ? json_loads(rows[i].content, 0, NULL) : NULL;
        const char *field = NULL;
        struct buf why;
        buf_init(&why, 400);
        enum err rc = channel_check_message("whatsapp", rows[i].type, rows[i].text, content, &field, &why);
        if ((rc == ERR_OK) != (rows[i].field == NULL) ||
            (rc != ERR_OK && strcmp(field, rows[i].field) != 0)) {
            fail_msg("%s: %s", rows[i].label, field != NULL ? field : "fine");
        }
        buf_fini(&why);
        json_decref(content);
    }
    const char *field = NULL;
    struct buf why;
    buf_init(&why, 400);
    assert_int_equal(channel_check_message("api", "image", "x", NULL, &field, &why), ERR_INVALID);
    assert_int_equal(channel_check_message("api", "text", "x", NULL, &field, &why), ERR_OK);
    buf_fini(&why);
}

static void test_registry(void **state)
{
    unsigned count = 0;

    (void)state;
    for (const struct channel_ops *ops = channel_ops_at(0); ops != NULL; ops = channel_ops_at(++count)) {
        assert_ptr_equal(channel_ops(ops->type), ops);
        assert_ptr_equal(channel_sender(PART, ops->type), ops);
        assert_true((ops->verify == NULL) == (ops->parse == NULL));
        for (const char *const *name = ops->sealed; *name != NULL; name++) {
            assert_non_null(*name);
        }
    }
    assert_int_equal(count, 2);
    assert_null(channel_ops("pigeon"));
    assert_null(channel_ops("sandbox"));
    assert_string_equal(channel_sender(PART_TEST, "whatsapp")->type, "sandbox");
    assert_string_equal(channel_sender(PART_TEST, "api")->type, "api");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_body),      cmocka_unit_test(test_judge),
        cmocka_unit_test(test_error_rows),     cmocka_unit_test(test_phone),
        cmocka_unit_test(test_identity),       cmocka_unit_test(test_text_pieces),
        cmocka_unit_test(test_channel_fields), cmocka_unit_test(test_channel_secrets),
        cmocka_unit_test(test_usage),          cmocka_unit_test(test_content_check),
        cmocka_unit_test(test_registry),
    };

    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
