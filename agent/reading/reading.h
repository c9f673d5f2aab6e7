/* reading.h: words of media files: what a voice message says, what a document holds.
 *
 * The media job pushes one QUEUE_READING job {"file_id"} for each file that may hold words, in the change-set
 * that makes the file ready. Whether words are wanted is the agent's affair: voice if it has a transcription
 * server, documents if a model reads them, pictures (which are given to the model as they are) if that model
 * sees. A transcript becomes the text of the message, marked in its content as "transcript": {"model"}; a
 * document's text stays with the file. Words are a customer's, hence untrusted, wherever they go. Thread: the
 * worker's loop. */
#ifndef CHASQUI_AGENT_READING_H
#define CHASQUI_AGENT_READING_H

#include "queue/base/json.h"
#include "queue/jobs.h"

#define READING_WORDS_MAX (48u << 10) /* bytes kept of a document */

enum reading_kind { READING_NONE, READING_VOICE, READING_DOCUMENT, READING_PICTURE };

/* What this agent (NULL: none) wants of a file that came with a message of that type. */
enum reading_kind reading_wanted(const json_t *agent, const char *message_type, const char *mime_type);

/* The handler of QUEUE_READING. */
void reading_run(struct job *job, void *arg);

#endif
