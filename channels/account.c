/* account.c: what a platform says about a business account, applied to every channel that belongs to it.
 *
 * Such a notice names the account and no number, and comes to one hook although the account may have several
 * numbers here. It goes to all channels of the partition with that account; to the hook's own channel only if
 * that one does not say to which account it belongs. A pause for the account is looked after by probes, as
 * one for a refused send is. */
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/clock.h"
#include "queue/base/log.h"

#define CHANNELS_MAX 200 /* of a partition that are looked through */

/* True if the notice is about the account of this channel. */
static bool concerns(const json_t *channel, const json_t *own, const json_t *notice)
{
    const char *told = jx_str(notice, "account");
    const char *account = jx_str(channel, "business_account_id");

    if (strcmp(jx_str_or(channel, "type", ""), jx_str_or(own, "type", "-")) != 0) {
        return false;
    }
    if (told == NULL || account == NULL) {
        return strcmp(jx_str_or(channel, "id", ""), jx_str_or(own, "id", "-")) == 0;
    }
    return strcmp(told, account) == 0;
}

/* Pauses or wakes the record; a person's own pause is left alone. False: it is as it was. */
static bool status_turn(struct changes *cs, const char *part, json_t *channel, enum account_word word)
{
    bool paused = strcmp(jx_str_or(channel, "status", ""), "paused") == 0;

    if (word == ACCOUNT_PAUSES && !paused) {
        jx_set_str(channel, "status", "paused");
        probe_push(cs, part, jx_str(channel, "id"));
        log_error("channel.paused", "channel=%s code=%s", jx_str_or(channel, "id", ""),
                  log_quote(jx_str_or(jx_obj(channel, "reason"), "code", "")));
        return true;
    }
    if (word == ACCOUNT_RESUMES && paused && jx_obj(channel, "reason") != NULL) {
        jx_set_str(channel, "status", "active");
        json_object_del(channel, "reason");
        log_info("channel.resumed", "channel=%s", jx_str_or(channel, "id", ""));
        return true;
    }
    return false;
}

/* One channel that it concerns. */
static void channel_apply(struct changes *cs, struct snapshot *snap, const char *part, const json_t *stored,
                          uint64_t rev, const json_t *notice)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(stored, "type", ""));
    json_t *channel = json_deep_copy(stored);
    const json_t *reason = jx_obj(stored, "reason");
    bool paused = strcmp(jx_str_or(stored, "status", ""), "paused") == 0;
    enum account_word word =
        ops != NULL && ops->account != NULL ? ops->account(channel, notice) : ACCOUNT_SILENT;

    if (word == ACCOUNT_PAUSES && paused && reason == NULL) {
        json_object_del(channel, "reason"); /* a person has paused it: no probe is to wake it */
    }
    status_turn(cs, part, channel, word);
    if (json_equal(channel, stored) == 0) {
        jx_set_time(channel, "updated_at", clock_wall_ms());
        changes_expect(cs, KIND_CHANNEL, part, jx_str(channel, "id"), rev);
        changes_put(cs, KIND_CHANNEL, part, jx_str(channel, "id"), channel);
        channel_event(cs, snap, part, channel);
    }
    json_decref(channel);
}

enum err account_note(struct changes *cs, struct snapshot *snap, const char *part, const json_t *own,
                      const json_t *notice)
{
    struct page_query query = {.kind = KIND_CHANNEL, .part = part, .limit = CHANNELS_MAX};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < page.count; i++) {
        if (concerns(page.rows[i].body, own, notice)) {
            channel_apply(cs, snap, part, page.rows[i].body, page.rows[i].rev, notice);
            rc = template_note(cs, snap, part, page.rows[i].body, notice);
        }
    }
    store_page_free(&page);
    return rc;
}
