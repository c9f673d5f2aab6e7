/* feedback.c: thumbs and what else means them. */
#include "channels/feedback.h"

#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/events.h"

/* Emojis as people use them below an answer; a row also stands for its variants (skin tone, presentation). */
static const struct {
    const char *emoji, *rating;
} emojis[] = {
    {"\U0001f44d", "up"},   /* thumbs up */
    {"\u2764", "up"},       /* heart */
    {"\U0001f64f", "up"},   /* folded hands */
    {"\U0001f44f", "up"},   /* clapping hands */
    {"\U0001f60d", "up"},   /* heart eyes */
    {"\U0001f389", "up"},   /* party popper */
    {"\U0001f4af", "up"},   /* hundred points */
    {"\u2705", "up"},       /* check mark */
    {"\U0001f44e", "down"}, /* thumbs down */
    {"\U0001f621", "down"}, /* pouting face */
    {"\U0001f620", "down"}, /* angry face */
    {"\U0001f92c", "down"}, /* face with symbols on mouth */
    {"\U0001f4a9", "down"}, /* pile of poo */
    {"\u274c", "down"},     /* cross mark */
};

const char *feedback_of_emoji(const char *emoji)
{
    for (size_t i = 0; i < sizeof emojis / sizeof *emojis; i++) {
        if (strncmp(emoji, emojis[i].emoji, strlen(emojis[i].emoji)) == 0) {
            return emojis[i].rating;
        }
    }
    return NULL;
}

const char *feedback_of_button(const char *id)
{
    if (strcmp(id, FEEDBACK_BUTTON_UP) == 0) {
        return "up";
    }
    return strcmp(id, FEEDBACK_BUTTON_DOWN) == 0 ? "down" : NULL;
}

json_t *feedback_give(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                      const struct feedback *feedback)
{
    struct event_about about = {.agent_id = jx_str(conversation, "agent_id"),
                                .conversation_id = jx_str(conversation, "id")};
    struct id id = id_new("fbk");
    json_t *record = json_object(), *data = json_object();

    jx_set_str(record, "id", id.text);
    jx_set_str(record, "agent_id", about.agent_id);
    jx_set_str(record, "conversation_id", about.conversation_id);
    jx_set_str(record, "contact_id", jx_str(conversation, "contact_id"));
    jx_set_str(record, "message_id", feedback->message_id);
    jx_set_str(record, "rating", feedback->rating);
    jx_set_str(record, "comment", feedback->comment);
    jx_set_str(record, "by", feedback->by);
    jx_set_time(record, "created_at", clock_wall_ms());
    changes_put(cs, KIND_FEEDBACK, part, id.text, record);
    jx_set(conversation, "feedback", json_copy(record));
    jx_set(data, "feedback", json_incref(record));
    event_append(cs, snap, part, "feedback.received", &about, data, NULL);
    json_decref(data);
    return record;
}
