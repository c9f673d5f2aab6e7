/* files.h: knowledge documents out of files and folders for `chasqui kb push`.
 *
 * .md and .markdown are Markdown, .txt is text, .csv holds FAQ pairs (columns question and answer, RFC 4180, a header line
 * naming them). Folders are walked; symbolic links and names that begin with a dot are passed over. */
#ifndef CHASQUI_CLI_FILES_H
#define CHASQUI_CLI_FILES_H

#include "bridge/cli/cli.h"

/* fn takes each document {"title", "content", "doc_type", "external_id"}. Errors are printed. */
typedef void (*files_fn)(json_t *document, void *arg);
enum cli_exit files_documents(const char *path, files_fn fn, void *arg);

#endif
