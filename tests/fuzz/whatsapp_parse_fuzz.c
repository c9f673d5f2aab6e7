/* whatsapp_parse_fuzz.c: what Meta posts, and what the Graph API answers.
 *
 * Every item has what channel.h promises for its kind and can be written as JSON and read again, messages
 * come first, and the items do not depend on what else is in the list. The same body as an answer to a send
 * leads to one outcome with its texts set. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/text.h"
#include "channels/whatsapp/whatsapp.h"
#include "tests/fuzz/fuzz.h"

static json_t *channel;

void fuzz_start(void)
{
    channel = json_object();
    jx_set_str(channel, "id", "chn_01J00000000000000000000000");
    jx_set_str(channel, "type", "whatsapp");
    jx_set_str(channel, "phone_number_id", "106540352242922");
}

/* The promises about one item. */
static void check_item(const struct inbound_item *item)
{
    const json_t *body = item->body;

    CHECK(json_is_object(body));
    switch (item->kind) {
    case INBOUND_MESSAGE:
    case INBOUND_ECHO:
        CHECK(json_array_size(jx_arr(body, "identities")) > 0);
        CHECK(jx_str_or(body, "platform_id", "")[0] != '\0' && jx_int(body, "platform_ms", 0) >= 0);
        CHECK(jx_str_or(body, "type", "")[0] != '\0' && json_is_boolean(json_object_get(body, "wants_turn")));
        break;
    case INBOUND_STATUS:
        CHECK(jx_str_or(body, "platform_id", "")[0] != '\0' && jx_str(body, "status") != NULL);
        break;
    case INBOUND_CHOICE:
        CHECK(json_array_size(jx_arr(body, "identities")) > 0 && json_is_boolean(json_object_get(body, "out")));
        break;
    case INBOUND_OTHER:
        CHECK(jx_str(body, "field") != NULL && json_object_get(body, "value") != NULL);
        break;
    case INBOUND_BAD:
        CHECK(jx_str(body, "reason") != NULL && json_object_get(body, "raw") != NULL);
        break;
    }
}

/* An item is stored as JSON: it must be readable again. */
static void check_text(const struct inbound_item *item)
{
    struct buf text;
    json_t *again = NULL;

    buf_init(&text, 64u << 20);
    jx_dump(item->body, &text);
    CHECK(buf_ok(&text) && jx_parse_lenient(buf_str(&text), text.len, &again) == ERR_OK);
    json_decref(again);
    buf_fini(&text);
}

static void check_list(const struct inbound_list *list)
{
    bool others = false;

    for (size_t i = 0; i < list->count; i++) {
        check_item(&list->items[i]);
        check_text(&list->items[i]);
        CHECK(!(others && list->items[i].kind == INBOUND_MESSAGE));
        others = others || list->items[i].kind != INBOUND_MESSAGE;
    }
}

/* The body as an answer of the Graph API. */
static void judge(const char *data, size_t size)
{
    static const long statuses[] = {200, 400, 401, 429, 500};
    json_t *body = NULL;

    if (jx_parse_lenient(data, size, &body) != ERR_OK) {
        body = NULL;
    }
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct send_result result = whatsapp_judge(statuses[i], body, 1 + (unsigned)i);
        CHECK(result.outcome != SEND_ACCEPTED || result.platform_id != NULL);
        CHECK(result.retry_ms >= 0);
    }
    json_decref(body);
}

/* Texts that people and platforms write: phone numbers, and long messages cut into bubbles. */
static void texts(const char *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char phone[24];

    if (contact_phone_normalise(text, phone)) {
        char again[24];
        CHECK(phone[0] == '+' && strlen(phone) >= 8 && strlen(phone) <= 16);
        CHECK(contact_phone_normalise(phone, again) && strcmp(phone, again) == 0);
    }
    json_t *value = json_string(text);
    const char *at = json_string_value(value);
    struct text_piece piece;
    for (const char *before = at; at != NULL && text_next(&at, 16, &piece); before = at) {
        CHECK(piece.len > 0 && piece.start >= before && piece.start + piece.len <= at);
    }
    json_decref(value);
    free(text);
}

void fuzz_one(const char *data, size_t size)
{
    struct inbound_list list;
    enum err rc = whatsapp_parse(channel, data, size, &list);

    CHECK(rc == ERR_OK || (rc == ERR_INVALID && list.count == 0));
    check_list(&list);
    inbound_list_free(&list);
    judge(data, size);
    texts(data, size);
}
