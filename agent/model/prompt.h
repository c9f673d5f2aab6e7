/* prompt.h: what a model reads, with what we wrote and what others wrote kept apart.
 *
 * The system part holds our rules and the account's own persona and nothing that changes between turns.
 * Whatever a customer, a document or an earlier answer wrote goes into user and assistant messages only; in
 * the newest message it stands in blocks that open and close with a random mark made for this turn, after the
 * mark itself and all invisible characters were removed from it. Room is estimated (UTF-8 bytes / 3.6 per
 * token) and filled in order: rules, question, last two exchanges, passages by score, older history. Thread:
 * any. */
#ifndef CHASQUI_AGENT_MODEL_PROMPT_H
#define CHASQUI_AGENT_MODEL_PROMPT_H

#include "agent/model/model.h"

#define PROMPT_MARK_SIZE 17

struct prompt_message {
    const char *role; /* "system", "user", "assistant" */
    const char *text;
};
struct prompt {
    struct prompt_message *messages;
    size_t count;
    json_t *tools, *rounds, *schema; /* as in the request, cleaned; NULL: none; die with the arena */
    bool tools_over;
    const struct model_image *images; /* belong to the last message */
    size_t image_count;
    char mark[PROMPT_MARK_SIZE];
    size_t bytes;           /* of all texts */
    unsigned history_used;  /* lines */
    unsigned passages_used; /* the first so many of the request's */
};

/* Everything in out lives in the arena. */
void prompt_build(const struct model_config *config, const struct model_request *request, struct arena *arena,
                  struct prompt *out);
/* The text without control characters (newline and tab stay), format characters, tag characters and variation
 * selectors beyond the sixteenth, and without any occurrence of mark (NULL: none). */
char *prompt_clean(const char *text, const char *mark, struct arena *arena);

#endif
