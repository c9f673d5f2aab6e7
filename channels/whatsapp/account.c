/* account.c: fields about the account: bans and restrictions, quality, throughput, messaging limits, alerts.
 *
 * What is known of the account stands in the channel's "platform_state": {"messaging_limit" (customers a day
 * outside the window, -1: no limit), "throughput" (messages a second), "quality", "alert": {"event",
 * "detail", "at"}}. Throughput feeds the pacing. Sources: Meta's webhook references of the fields named in
 * the table below. */
#include <stdio.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/clock.h"

#define THROUGHPUT_UPGRADED 1000 /* Meta, "Throughput": after the automatic upgrade */

static const struct {
    const char *event, *state;
    enum account_word word;
    const char *text;
} updates[] = {
#define X(event, state, word, text) {event, state, word, text},
#include "channels/whatsapp/tbl_account.h"
#undef X
};

static const struct {
    const char *tier;
    int64_t customers;
} tiers[] = {{"TIER_50", 50},     {"TIER_250", 250},     {"TIER_1K", 1000},     {"TIER_2K", 2000},
             {"TIER_10K", 10000}, {"TIER_100K", 100000}, {"TIER_UNLIMITED", -1}};

/* The channel's object about the platform's view, made if it is missing. */
static json_t *state_of(json_t *channel)
{
    if (jx_obj(channel, "platform_state") == NULL) {
        jx_set(channel, "platform_state", json_object());
    }
    return jx_obj(channel, "platform_state");
}

static void alert_set(json_t *channel, const char *event, const char *detail)
{
    json_t *alert = json_object();

    jx_set_str(alert, "event", event);
    jx_set_str(alert, "detail", detail);
    jx_set_time(alert, "at", clock_wall_ms());
    jx_set(state_of(channel), "alert", alert);
}

/* True if one of the restrictions, or the state of a ban, is the named one. */
static bool speaks_of(const json_t *value, const char *state)
{
    const char *ban = jx_str(jx_obj(value, "ban_info"), "waba_ban_state");
    size_t i;
    json_t *each;

    if (state[0] == '\0' || (ban != NULL && strcmp(ban, state) == 0)) {
        return true;
    }
    json_array_foreach (jx_arr(jx_obj(value, "ban_info"), "waba_ban_state"), i, each) {
        if (json_is_string(each) && strcmp(json_string_value(each), state) == 0) {
            return true;
        }
    }
    json_array_foreach (json_object_get(value, "restriction_info"), i, each) {
        if (strcmp(jx_str_or(each, "restriction_type", ""), state) == 0) {
            return true;
        }
    }
    return false;
}

/* account_update: the table decides. */
static enum account_word account_update(json_t *channel, const json_t *value)
{
    const char *event = jx_str_or(value, "event", "");

    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
        if (strcmp(updates[i].event, event) != 0 || !speaks_of(value, updates[i].state)) {
            continue;
        }
        if (updates[i].word == ACCOUNT_RESUMES) {
            json_object_del(state_of(channel), "alert");
            return ACCOUNT_RESUMES;
        }
        alert_set(channel, event, updates[i].text);
        if (updates[i].word == ACCOUNT_PAUSES) {
            json_t *reason = json_object();
            jx_set_str(reason, "code", event);
            jx_set_str(reason, "title", updates[i].text);
            jx_set_str(reason, "detail", "the platform said so");
            jx_set(channel, "reason", reason);
        }
        return updates[i].word;
    }
    return ACCOUNT_SILENT;
}

/* How many customers a day: a tier's name or a number; 0 if it is neither. */
static int64_t limit_of(const json_t *limit)
{
    const char *name = json_string_value(limit);

    if (json_is_integer(limit)) {
        int64_t customers = (int64_t)json_integer_value(limit);
        return customers == -1 || customers > 0 ? customers : 0;
    }
    for (size_t i = 0; name != NULL && i < sizeof tiers / sizeof *tiers; i++) {
        if (strcmp(tiers[i].tier, name) == 0) {
            return tiers[i].customers;
        }
    }
    return 0;
}

/* The limit of the account, under whichever of its names. */
static enum account_word messaging_limit(json_t *channel, const json_t *value)
{
    static const char *const names[] = {"max_daily_conversations_per_business", "current_limit",
                                        "max_daily_conversation_per_phone"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t limit = limit_of(json_object_get(value, names[i]));
        if (limit != 0) {
            jx_set_int(state_of(channel), "messaging_limit", limit);
            return ACCOUNT_NOTED;
        }
    }
    return ACCOUNT_SILENT;
}

/* Only digits count: the same number comes with and without '+', blanks and dashes. */
static bool same_digits(const char *a, const char *b)
{
    for (;;) {
        a += strcspn(a, "0123456789");
        b += strcspn(b, "0123456789");
        if (*a != *b) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
}

/* phone_number_quality_update: names the number as it is displayed, or not at all. */
static enum account_word number_quality(json_t *channel, const json_t *value)
{
    const char *event = jx_str_or(value, "event", "");
    const char *told = jx_str(value, "display_phone_number");
    const char *own = jx_str(channel, "display_phone_number");
    enum account_word word = messaging_limit(channel, value); /* the limit is the whole account's */

    if (told != NULL && own != NULL && !same_digits(told, own)) {
        return word;
    }
    if (strcmp(event, "THROUGHPUT_UPGRADE") == 0) {
        jx_set_int(state_of(channel), "throughput", THROUGHPUT_UPGRADED);
    } else if (strcmp(event, "FLAGGED") == 0) {
        jx_set_str(state_of(channel), "quality", "LOW");
        alert_set(channel, event, "the number's quality is low");
    } else if (strcmp(event, "UNFLAGGED") == 0) {
        jx_set_str(state_of(channel), "quality", "OK");
        json_object_del(state_of(channel), "alert");
    } else if (strcmp(event, "DOWNGRADE") == 0) {
        alert_set(channel, event, "the messaging limit was lowered");
    } else {
        return word;
    }
    return ACCOUNT_NOTED;
}

/* account_alerts, and the decision about a review. */
static enum account_word alert(json_t *channel, const json_t *value)
{
    const json_t *info = jx_obj(value, "alert_info");
    const char *type = jx_str(info != NULL ? info : value, "alert_type");
    const char *status = jx_str_or(info != NULL ? info : value, "alert_status", "");

    if (type == NULL) {
        return ACCOUNT_SILENT;
    }
    if (strcmp(status, "RESOLVED") == 0) {
        json_object_del(state_of(channel), "alert");
    } else {
        alert_set(channel, type, jx_str_or(info != NULL ? info : value, "alert_description", ""));
    }
    return ACCOUNT_NOTED;
}

enum account_word whatsapp_account(json_t *channel, const json_t *notice)
{
    static const struct {
        const char *field;
        enum account_word (*apply)(json_t *channel, const json_t *value);
    } fields[] = {{"account_update", account_update},
                  {"phone_number_quality_update", number_quality},
                  {"business_capability_update", messaging_limit},
                  {"account_alerts", alert}};
    const char *field = jx_str_or(notice, "field", "");

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].field, field) == 0 && jx_obj(notice, "value") != NULL) {
            return fields[i].apply(channel, jx_obj(notice, "value"));
        }
    }
    return ACCOUNT_SILENT;
}
