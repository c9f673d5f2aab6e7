/* parse_test.c: payloads of the WhatsApp platform -> the items they are taken apart into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "channels/channel.h"
#include "queue/base/json.h"

#define OPEN     "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":["
#define CLOSE    "]}]}"
#define META     "\"messaging_product\":\"whatsapp\",\"metadata\":{\"phone_number_id\":\"123\"}"
#define VALUE(x) "{\"field\":\"messages\",\"value\":{" META "," x "}}"
#define ANA      "\"contacts\":[{\"profile\":{\"name\":\"Ana\"},\"wa_id\":\"16505551234\"}]"
#define HEAD     "\"from\":\"16505551234\",\"id\":\"wamid.A\",\"timestamp\":\"1749416383\""
/* One message of that content; one status; one change of another field. */
#define MSG(x)      OPEN VALUE(ANA ",\"messages\":[{" HEAD "," x "}]") CLOSE
#define RAWMSG(x)   OPEN VALUE("\"messages\":[" x "]") CLOSE
#define STATUS(x)   OPEN VALUE("\"statuses\":[" x "]") CLOSE
#define FIELD(f, v) OPEN "{\"field\":\"" f "\",\"value\":" v "}" CLOSE

struct parse_case {
    const char *label, *payload, *want;
};

/* What is wanted: items in order, each as
 * M type|text|identities|turn   S platform id|status|our id|error code   O field   B reason; "@number" if
 * another number's. */
static const struct parse_case cases[] = {
    /* ---- text and who wrote it ---- */
    {"text", MSG("\"type\":\"text\",\"text\":{\"body\":\"hello\"}"), "M text|hello|phone:+16505551234|turn;"},
    {"escaped unicode and slash",
     MSG("\"type\":\"text\",\"text\":{\"body\":\"ok \\ud83d\\udc4b a\\/b \\u00e4\"}"),
     "M text|ok \xf0\x9f\x91\x8b a/b \xc3\xa4|phone:+16505551234|turn;"},
    {"empty text", MSG("\"type\":\"text\",\"text\":{\"body\":\"\"}"), "M text||phone:+16505551234|quiet;"},
    {"text object missing", MSG("\"type\":\"text\""), "M text||phone:+16505551234|quiet;"},
    {"phone and BSUID in the message",
     RAWMSG("{\"from\":\"16505551234\",\"from_user_id\":\"US.13491208655302741918\",\"id\":\"w\",\"type\":"
            "\"text\",\"text\":"
            "{\"body\":\"x\"}}"),
     "M text|x|phone:+16505551234,bsuid:US.13491208655302741918|turn;"},
    {"BSUID only",
     RAWMSG("{\"from_user_id\":\"US.1349\",\"id\":\"w\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
     "M text|x|bsuid:US.1349|turn;"},
    {"BSUID in from",
     RAWMSG("{\"from\":\"US.1349\",\"id\":\"w\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
     "M text|x|bsuid:US.1349|turn;"},
    {"parent BSUID",
     RAWMSG("{\"from_user_id\":\"US.1\",\"from_parent_user_id\":\"US.ENT.9\",\"id\":\"w\",\"type\":\"text\","
            "\"text\":{"
            "\"body\":\"x\"}}"),
     "M text|x|bsuid:US.1,bsuid:US.ENT.9|turn;"},
    {"BSUID and username from the profile",
     OPEN VALUE("\"contacts\":[{\"profile\":{\"name\":\"Zo\\u00eb\",\"username\":\"@zoe\"},\"wa_id\":"
                "\"16505551234\","
                "\"user_id\":\"US.77\"}],\"messages\":[{" HEAD
                ",\"type\":\"text\",\"text\":{\"body\":\"x\"}}]") CLOSE,
     "M text|x|phone:+16505551234,bsuid:US.77,username:zoe|turn;"},
    {"profile of somebody else is not taken",
     OPEN VALUE("\"contacts\":[{\"profile\":{\"name\":\"Bo\"},\"wa_id\":\"4477\",\"user_id\":\"GB.5\"}],"
                "\"messages\":[{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"x\"}}]") CLOSE,
     "M text|x|phone:+16505551234|turn;"},
    {"no contacts at all", RAWMSG("{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
     "M text|x|phone:+16505551234|turn;"},
    {"id as a number",
     RAWMSG("{\"from\":\"16505551234\",\"id\":77,\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
     "M text|x|phone:+16505551234|turn;"},
    {"unparsable timestamp",
     RAWMSG("{\"from\":\"16505551234\",\"id\":\"w\",\"timestamp\":\"soon\",\"type\":\"text\","
            "\"text\":{\"body\":\"x\"}}"),
     "M text|x|phone:+16505551234|turn;"},
    {"half of an emoji", MSG("\"type\":\"text\",\"text\":{\"body\":\"cut \\ud83d\"}"),
     "M text|cut \xef\xbf\xbd|phone:+16505551234|turn;"},
    {"the other half, and a whole one",
     MSG("\"type\":\"text\",\"text\":{\"body\":\"\\udc4b \\ud83d\\udc4b \\\\ud83d\"}"),
     "M text|\xef\xbf\xbd \xf0\x9f\x91\x8b \\ud83d|phone:+16505551234|turn;"},
    {"bytes that are no UTF-8", MSG("\"type\":\"text\",\"text\":{\"body\":\"a\xff\"}"),
     "M text|a\xef\xbf\xbd|phone:+16505551234|turn;"},
    /* ---- other types ---- */
    {"image with caption",
     MSG("\"type\":\"image\",\"image\":{\"id\":\"9\",\"mime_type\":\"image/jpeg\",\"caption\":\"this one\"}"),
     "M image|this one|phone:+16505551234|turn;"},
    {"image without caption", MSG("\"type\":\"image\",\"image\":{\"id\":\"9\"}"),
     "M image|[image]|phone:+16505551234|turn;"},
    {"image whose media was lost", MSG("\"type\":\"image\",\"errors\":[{\"code\":131052}]"),
     "M image|[image]|phone:+16505551234|turn;"},
    {"video", MSG("\"type\":\"video\",\"video\":{\"id\":\"9\",\"caption\":\"clip\"}"),
     "M video|clip|phone:+16505551234|turn;"},
    {"voice note", MSG("\"type\":\"audio\",\"audio\":{\"id\":\"9\",\"voice\":true}"),
     "M audio|[voice message]|phone:+16505551234|turn;"},
    {"old voice type", MSG("\"type\":\"voice\",\"voice\":{\"id\":\"9\"}"),
     "M audio|[voice message]|phone:+16505551234|turn;"},
    {"document with name", MSG("\"type\":\"document\",\"document\":{\"id\":\"9\",\"filename\":\"bill.pdf\"}"),
     "M document|[document: bill.pdf]|phone:+16505551234|turn;"},
    {"document with caption",
     MSG("\"type\":\"document\",\"document\":{\"id\":\"9\",\"filename\":\"b\",\"caption\":\"see\"}"),
     "M document|see|phone:+16505551234|turn;"},
    {"sticker", MSG("\"type\":\"sticker\",\"sticker\":{\"id\":\"9\",\"animated\":false}"),
     "M sticker|[sticker]|phone:+16505551234|quiet;"},
    {"location with name",
     MSG("\"type\":\"location\",\"location\":{\"latitude\":1.5,\"longitude\":\"2\",\"name\":\"Home\","
         "\"address\":\"Main St 1\"}"),
     "M location|Home, Main St 1|phone:+16505551234|turn;"},
    {"bare location", MSG("\"type\":\"location\",\"location\":{\"latitude\":1.5,\"longitude\":2}"),
     "M location|[location]|phone:+16505551234|turn;"},
    {"contact cards",
     MSG("\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"Al\"}},{\"name\":{"
         "\"formatted_name\":\"Bea\"}}]"),
     "M contacts|Al, Bea|phone:+16505551234|turn;"},
    {"button reply",
     MSG("\"type\":\"interactive\",\"interactive\":{\"type\":\"button_reply\",\"button_reply\":{\"id\":\"y\","
         "\"title\":\"Yes\"}}"),
     "M interactive|Yes|phone:+16505551234|turn;"},
    {"list reply",
     MSG("\"type\":\"interactive\",\"interactive\":{\"type\":\"list_reply\",\"list_reply\":{\"id\":\"1\","
         "\"title\":\"Monday\"}}"),
     "M interactive|Monday|phone:+16505551234|turn;"},
    {"flow reply with broken JSON inside",
     MSG("\"type\":\"interactive\",\"interactive\":{\"type\":\"nfm_reply\",\"nfm_reply\":{\"name\":\"flow\","
         "\"body\":\"Sent\","
         "\"response_json\":\"{oops\"}}"),
     "M interactive|Sent|phone:+16505551234|turn;"},
    {"call permission",
     MSG("\"type\":\"interactive\",\"interactive\":{\"type\":\"call_permission_reply\","
         "\"call_permission_reply\":{\"response\":\"accept\"}}"),
     "M interactive|accept|phone:+16505551234|turn;"},
    {"interactive object missing", MSG("\"type\":\"interactive\",\"errors\":[{\"code\":131051}]"),
     "M interactive|[choice]|phone:+16505551234|turn;"},
    {"template button",
     MSG("\"type\":\"button\",\"button\":{\"text\":\"Stop\",\"payload\":\"p\"},\"context\":{\"id\":\"wamid."
         "T\"}"),
     "M button|Stop|phone:+16505551234|turn;"},
    {"order",
     MSG("\"type\":\"order\",\"order\":{\"catalog_id\":\"1\",\"product_items\":[{\"quantity\":1},{"
         "\"quantity\":2.5}]}"),
     "M order|[order of 2 items]|phone:+16505551234|turn;"},
    {"order with text", MSG("\"type\":\"order\",\"order\":{\"text\":\"fast please\",\"product_items\":[]}"),
     "M order|fast please|phone:+16505551234|turn;"},
    {"reaction",
     MSG("\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.B\",\"emoji\":\"\\ud83d\\udc4d\"}"),
     "M reaction||phone:+16505551234|quiet;"},
    {"reaction taken back", MSG("\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.B\"}"),
     "M reaction||phone:+16505551234|quiet;"},
    {"number changed",
     RAWMSG("{\"from\":\"16505551234\",\"id\":\"w\",\"type\":\"system\",\"system\":{\"body\":\"Ana changed\","
            "\"type\":\"user_changed_number\",\"wa_id\":\"16505559999\"}}"),
     "M system|Ana changed|phone:+16505559999,phone:+16505551234|quiet;"},
    {"user id changed",
     RAWMSG("{\"from_user_id\":\"US.1\",\"id\":\"w\",\"type\":\"system\",\"system\":{\"type\":"
            "\"user_changed_user_id\",\"user_id\":\"US.2\"}}"),
     "M system||bsuid:US.2,bsuid:US.1|quiet;"},
    {"user id changed, the one before named",
     RAWMSG("{\"id\":\"w\",\"type\":\"system\",\"system\":{\"type\":"
            "\"user_changed_user_id\",\"user_id\":\"US.2\",\"previous_user_id\":\"US.1\"}}"),
     "M system||bsuid:US.2,bsuid:US.1|quiet;"},
    {"edit",
     MSG("\"type\":\"edit\",\"edit\":{\"original_message_id\":\"wamid.B\",\"message\":{\"type\":\"text\","
         "\"text\":{"
         "\"body\":\"new\"}}}"),
     "M edit|new|phone:+16505551234|turn;"},
    {"edit of an edit", MSG("\"type\":\"edit\",\"edit\":{\"message\":{\"type\":\"edit\",\"edit\":{}}}"),
     "M edit|[edited message]|phone:+16505551234|turn;"},
    {"revoke", MSG("\"type\":\"revoke\",\"revoke\":{\"original_message_id\":\"wamid.B\"}"),
     "M revoke||phone:+16505551234|quiet;"},
    {"request_welcome", MSG("\"type\":\"request_welcome\""), "M request_welcome||phone:+16505551234|quiet;"},
    {"unsupported",
     MSG("\"type\":\"unsupported\",\"unsupported\":{\"type\":\"poll\"},\"errors\":[{\"code\":131051}]"),
     "M unsupported|[a message of a kind that this channel cannot show: poll]|phone:+16505551234|turn;"},
    {"unknown, the old name", MSG("\"type\":\"unknown\",\"errors\":[{\"code\":131051}]"),
     "M unsupported|[a message of a kind that this channel cannot show]|phone:+16505551234|turn;"},
    {"a type of tomorrow", MSG("\"type\":\"hologram\",\"hologram\":{\"id\":\"9\"}"),
     "M unsupported|[a message of a kind that this channel cannot show: hologram]|phone:+16505551234|turn;"},
    {"no type", MSG("\"text\":{\"body\":\"x\"}"),
     "M unsupported|[a message of a kind that this channel cannot show: no type]|phone:+16505551234|turn;"},
    {"group message", MSG("\"group_id\":\"g\",\"type\":\"text\",\"text\":{\"body\":\"x\"}"),
     "O group_message;"},
    /* ---- statuses ---- */
    {"sent",
     STATUS(
         "{\"id\":\"wamid.S\",\"status\":\"sent\",\"timestamp\":\"1749416383\",\"recipient_id\":\"1650\"}"),
     "S wamid.S|sent|-|-;"},
    {"delivered with our id",
     STATUS("{\"id\":\"wamid.S\",\"status\":\"delivered\",\"timestamp\":1749416383,\"biz_opaque_callback_"
            "data\":\"msg_1\"}"),
     "S wamid.S|delivered|msg_1|-;"},
    {"read", STATUS("{\"id\":\"wamid.S\",\"status\":\"read\",\"timestamp\":\"1\"}"), "S wamid.S|read|-|-;"},
    {"played", STATUS("{\"id\":\"wamid.S\",\"status\":\"played\",\"timestamp\":\"1\"}"),
     "S wamid.S|read|-|-;"},
    {"failed",
     STATUS("{\"id\":\"wamid.S\",\"status\":\"failed\",\"timestamp\":\"1\",\"errors\":[{\"code\":131047,"
            "\"title\":"
            "\"Re-engagement\",\"error_data\":{\"details\":\"late\"}}]}"),
     "S wamid.S|failed|-|131047;"},
    {"failed without errors", STATUS("{\"id\":\"wamid.S\",\"status\":\"failed\"}"), "S wamid.S|failed|-|-;"},
    {"deleted is no step", STATUS("{\"id\":\"wamid.S\",\"status\":\"deleted\"}"), "O status;"},
    {"a status of tomorrow", STATUS("{\"id\":\"wamid.S\",\"status\":\"teleported\"}"), "O status;"},
    {"status without id", STATUS("{\"status\":\"sent\"}"), "B a status without an id or a word;"},
    /* ---- batches and strangers ---- */
    {"messages before statuses",
     OPEN VALUE("\"statuses\":[{\"id\":\"s1\",\"status\":\"sent\"},{\"id\":\"s2\",\"status\":\"read\"}],"
                "\"messages\":[{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"a\"}}]") CLOSE,
     "M text|a|phone:+16505551234|turn;S s1|sent|-|-;S s2|read|-|-;"},
    {"two entries, two changes, two messages",
     "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[" VALUE(
         "\"messages\":[{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"a\"}},{" HEAD
         ",\"type\":\"text\",\"text\":{\"body\":\"b\"}}]") "," VALUE("\"messages\":[{" HEAD
                                                                     ",\"type\":\"text\",\"text\":{"
                                                                     "\"body\":\"c\"}}]") "]},{\"changes\":"
                                                                                          "[" VALUE("\"messag"
                                                                                                    "es\":["
                                                                                                    "{" HEAD
                                                                                                    ",\"type"
                                                                                                    "\":"
                                                                                                    "\"text\""
                                                                                                    ",\"text"
                                                                                                    "\":{"
                                                                                                    "\"body\""
                                                                                                    ":\"d\"}}"
                                                                                                    "]") "]}]"
                                                                                                         "}",
     "M text|a|phone:+16505551234|turn;M text|b|phone:+16505551234|turn;M text|c|phone:+16505551234|turn;"
     "M text|d|phone:+16505551234|turn;"},
    {"another number",
     OPEN "{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"456\"},\"messages\":[{" HEAD
          ",\"type\":\"text\",\"text\":{\"body\":\"a\"}}]}}" CLOSE,
     "M text|a|phone:+16505551234|turn@456;"},
    {"no metadata",
     OPEN "{\"field\":\"messages\",\"value\":{\"messages\":[{" HEAD ",\"type\":\"text\",\"text\":{\"body\":"
          "\"a\"}}]}}" CLOSE,
     "M text|a|phone:+16505551234|turn;"},
    {"one bad message among good ones",
     RAWMSG("{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"a\"}},17,{\"type\":\"text\"},{\"id\":\"w\","
            "\"type\":\"text\"},{" HEAD ",\"type\":\"text\",\"text\":{\"body\":\"b\"}}"),
     "M text|a|phone:+16505551234|turn;M text|b|phone:+16505551234|turn;B a message that is no object;"
     "B a message without an id;B a message without a sender;"},
    {"messages is no list", OPEN VALUE("\"messages\":{}") CLOSE, "B a message that is no object;"},
    {"value errors", OPEN VALUE("\"errors\":[{\"code\":130429}]") CLOSE, "O errors;"},
    {"nothing in the value", OPEN VALUE("\"contacts\":[]") CLOSE, "O messages;"},
    {"template status",
     FIELD("message_template_status_update",
           "{\"event\":\"APPROVED\",\"message_template_id\":9007199254740993}"),
     "O message_template_status_update;"},
    {"a person on the phone app",
     FIELD("smb_message_echoes",
           "{\"metadata\":{\"phone_number_id\":\"123\"},\"message_echoes\":[{\"from\":\"1555\","
           "\"to\":\"16505551234\",\"id\":\"w9\",\"timestamp\":\"1\",\"type\":\"text\","
           "\"text\":{\"body\":\"hi\"}}]}"),
     "E M text|hi|phone:+16505551234|turn;"},
    {"an echo to nobody", FIELD("smb_message_echoes", "{\"message_echoes\":[{\"id\":\"w9\"}]}"),
     "B an echo without an id or a recipient;"},
    {"no marketing any more",
     FIELD("user_preferences",
           "{\"user_preferences\":[{\"wa_id\":\"16505551234\",\"value\":\"stop\",\"timestamp\":1}]}"),
     "M ?|?|phone:+16505551234|quiet|leaves;"},
    {"marketing again",
     FIELD("user_preferences", "{\"user_preferences\":[{\"user_id\":\"US.1349\",\"value\":\"resume\"}]}"),
     "M ?|?|bsuid:US.1349|quiet|returns;"},
    {"a preference of a new kind",
     FIELD("user_preferences", "{\"user_preferences\":[{\"wa_id\":\"16505551234\",\"value\":\"maybe\"}]}"),
     "O user_preferences;"},
    {"echo of the phone app", FIELD("smb_message_echoes", "{\"message_echoes\":[]}"),
     "O smb_message_echoes;"},
    {"a field of tomorrow", FIELD("dreams", "[1,2]"), "O dreams;"},
    {"change without a field", OPEN "{\"value\":{}}" CLOSE, "B a change without field or value;"},
    {"change that is no object", OPEN "5" CLOSE, "B a change that is no object;"},
    {"value that is no object", FIELD("messages", "7"), "B a value that is no object;"},
    {"entry without changes", "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\"}]}",
     "O entry;"},
    {"no entries", "{\"object\":\"whatsapp_business_account\",\"entry\":[]}", ""},
    {"another object", "{\"object\":\"page\",\"entry\":[]}", "O object;"},
    {"not JSON", "hello", "!"},
    {"not an object", "[1]", "!"},
    {"empty", "", "!"},
};

static void show_message(struct buf *out, const json_t *body)
{
    size_t i;
    json_t *identity;

    buf_addf(out, "M %s|%s|", jx_str_or(body, "type", "?"), jx_str_or(body, "text", "?"));
    json_array_foreach (jx_arr(body, "identities"), i, identity) {
        buf_addf(out, "%s%s:%s", i > 0 ? "," : "", jx_str_or(identity, "type", "?"),
                 jx_str_or(identity, "value", "?"));
    }
    buf_addf(out, "|%s", jx_bool(body, "wants_turn", false) ? "turn" : "quiet");
}

static void show_item(struct buf *out, const struct inbound_item *item)
{
    switch (item->kind) {
    case INBOUND_MESSAGE:
        show_message(out, item->body);
        break;
    case INBOUND_STATUS:
        buf_addf(out, "S %s|%s|%s|%s", jx_str_or(item->body, "platform_id", "?"),
                 jx_str_or(item->body, "status", "?"), jx_str_or(item->body, "outbox", "-"),
                 jx_str_or(jx_obj(item->body, "error"), "code", "-"));
        break;
    case INBOUND_ECHO:
        buf_adds(out, "E ");
        show_message(out, item->body);
        break;
    case INBOUND_CHOICE:
        show_message(out, item->body);
        buf_addf(out, "|%s", jx_bool(item->body, "out", false) ? "leaves" : "returns");
        break;
    case INBOUND_OTHER:
        buf_addf(out, "O %s", jx_str_or(item->body, "field", "?"));
        break;
    case INBOUND_BAD:
        buf_addf(out, "B %s", jx_str_or(item->body, "reason", "?"));
        assert_non_null(json_object_get(item->body, "raw"));
        break;
    }
    if (jx_str(item->body, "address") != NULL) {
        buf_addf(out, "@%s", jx_str(item->body, "address"));
    }
    buf_addc(out, ';');
}

static json_t *channel_record(void)
{
    return json_pack("{s:s,s:s,s:s}", "id", "chn_x", "type", "whatsapp", "phone_number_id", "123");
}

/* Parses and writes down what came. */
static void parse_show(const char *payload, size_t size, struct buf *out)
{
    json_t *channel = channel_record();
    struct inbound_list list;

    buf_init(out, 1 << 20);
    if (channel_ops("whatsapp")->parse(channel, payload, size, &list) != ERR_OK) {
        buf_adds(out, "!");
    } else {
        for (size_t i = 0; i < list.count; i++) {
            show_item(out, &list.items[i]);
        }
        inbound_list_free(&list);
    }
    json_decref(channel);
}

static void test_table(void **state)
{
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf got;
        parse_show(cases[i].payload, strlen(cases[i].payload), &got);
        if (strcmp(buf_str(&got), cases[i].want) != 0) {
            print_error("%s:\n  got  %s\n  want %s\n", cases[i].label, buf_str(&got), cases[i].want);
            wrong++;
        }
        buf_fini(&got);
    }
    assert_int_equal(wrong, 0);
    assert_true(sizeof cases / sizeof *cases >= 40);
}

/* Every payload cut off at every length is refused or understood, never a fault. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t size = 0; size < strlen(cases[i].payload); size++) {
            struct buf got;
            parse_show(cases[i].payload, size, &got);
            assert_string_equal(buf_str(&got), "!");
            buf_fini(&got);
        }
    }
}

/* The one message of a payload; borrowed from the list. */
static json_t *only_body(const char *payload, struct inbound_list *list)
{
    json_t *channel = channel_record();

    assert_int_equal(channel_ops("whatsapp")->parse(channel, payload, strlen(payload), list), ERR_OK);
    assert_int_equal(list->count, 1);
    json_decref(channel);
    return list->items[0].body;
}

static void test_details(void **state)
{
    struct inbound_list list;

    (void)state;
    json_t *body = only_body(
        MSG("\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{\"from\":\"1\",\"id\":\"wamid.Q\","
            "\"forwarded\":true},\"referral\":{\"ctwa_clid\":\"c\"}"),
        &list);
    assert_string_equal(jx_str(body, "name"), "Ana");
    assert_string_equal(jx_str(body, "platform_id"), "wamid.A");
    assert_int_equal(jx_int(body, "platform_ms", 0), 1749416383000);
    assert_string_equal(jx_str(body, "reply_to"), "wamid.Q");
    assert_string_equal(jx_str(jx_at(body, "/content/referral"), "ctwa_clid"), "c");
    assert_true(jx_bool(jx_obj(body, "content"), "forwarded", false));
    inbound_list_free(&list);

    body = only_body(
        MSG("\"type\":\"image\",\"image\":{\"id\":\"9\",\"sha256\":\"abc\"},\"errors\":[{\"code\":131052}]"),
        &list);
    assert_string_equal(jx_str(jx_obj(body, "content"), "sha256"), "abc");
    assert_int_equal(jx_int(jx_at(body, "/content/errors/0"), "code", 0), 131052);
    inbound_list_free(&list);

    body = only_body(MSG("\"type\":\"hologram\",\"hologram\":{\"depth\":3}"), &list);
    assert_int_equal(jx_int(jx_at(body, "/content/hologram"), "depth", 0), 3);
    inbound_list_free(&list);

    body = only_body(
        RAWMSG("{\"from\":\"16505551234\",\"id\":\"w\",\"timestamp\":\"1749416383000\",\"type\":\"text\"}"),
        &list);
    assert_int_equal(jx_int(body, "platform_ms", 0), 1749416383000);
    inbound_list_free(&list);

    body = only_body(
        STATUS("{\"id\":\"s\",\"status\":\"failed\",\"errors\":[{\"code\":131026,\"title\":\"Undeliverable\","
               "\"message\":\"m\",\"error_data\":{\"details\":\"not on the platform\"}}]}"),
        &list);
    assert_string_equal(jx_str(jx_obj(body, "error"), "title"), "Undeliverable");
    assert_string_equal(jx_str(jx_obj(body, "error"), "detail"), "not on the platform");
    inbound_list_free(&list);
}

/* Many contacts beside many messages: each message looks at so many of them and no more. */
static void test_many_contacts(void **state)
{
    struct buf payload, out;
    clock_t begun = clock();

    (void)state;
    buf_init(&payload, 8u << 20);
    buf_adds(&payload, OPEN "{\"field\":\"messages\",\"value\":{\"contacts\":[{}");
    for (int i = 0; i < 300000; i++) {
        buf_adds(&payload, ",{}");
    }
    buf_adds(&payload, "],\"messages\":[{}");
    for (int i = 0; i < 3000; i++) {
        buf_adds(&payload, ",{\"id\":1,\"from\":\"16505551234\"}");
    }
    buf_adds(&payload, "]}}" CLOSE);
    assert_true(buf_ok(&payload));
    parse_show(buf_str(&payload), payload.len, &out);
    assert_true((clock() - begun) / CLOCKS_PER_SEC < 10);
    buf_fini(&payload);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_many_contacts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
