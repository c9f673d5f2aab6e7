/* files.h: knowledge documents out of files and folders for `chasqui kb push`.
 *
 * .md and .markdown are Markdown, .txt is text, .csv holds FAQ pairs (columns question and answer, RFC 4180, a header line
 * naming them). .html, .htm, .pdf, .docx and .json are read by the daemon: their bytes are to be uploaded. Folders are walked; symbolic links and names that begin with a dot are passed over. */
#ifndef CHASQUI_CLI_FILES_H
#define CHASQUI_CLI_FILES_H

#include "bridge/cli/cli.h"

/* fn takes each document {"title", "content", "doc_type", "external_id"}; of a file for the daemon "doc_type" is "file" and
 * there is no content: external_id is its path. Errors are printed. */
typedef void (*files_fn)(json_t *document, void *arg);
enum cli_exit files_documents(const char *path, files_fn fn, void *arg);
/* Reads a file that is to be uploaded. */
enum cli_exit files_read(const char *path, struct buf *out);
#define FILES_UPLOAD_MAX (25u << 20)

#endif
