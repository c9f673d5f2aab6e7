/* tree.h: files and folders for backup and restore: sums, copies, the manifest.
 *
 * A backup is a folder: manifest.json {"format", "version", "schema", "created_at", "files": [{"path", "size", "sha256"}]} and the
 * files it names. The manifest is written last and synced: a folder without one is no backup. */
#ifndef CHASQUI_CLI_TREE_H
#define CHASQUI_CLI_TREE_H

#include "bridge/cli/cli.h"

#define TREE_FORMAT 1

/* Creates a directory and its missing parents, mode 0700; an existing one is fine. */
enum cli_exit tree_make(const char *path);
/* True if there is no such path or it is a directory that holds nothing. */
bool tree_is_free(const char *path);
/* Copies a file (mode 0600, synced). */
enum cli_exit tree_copy_file(const char *from, const char *to);
/* Copies a folder and all below; a missing one is fine. */
enum cli_exit tree_copy(const char *from, const char *to);

/* Writes the manifest of everything below dir. */
enum cli_exit tree_manifest_write(const char *dir);
/* Reads the manifest and checks that each file it names is there and whole. New reference in *manifest. */
enum cli_exit tree_manifest_check(const char *dir, json_t **manifest);

#endif
