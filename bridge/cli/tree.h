/* tree.h: files and folders for backup and restore: sums, copies, the manifest.
 *
 * A backup is a folder: manifest.json {"format", "version", "schema", "created_at", "files": [{"path", "size", "sha256"}]} and the
 * files it names. The manifest is written last and synced: a folder without one is no backup. While a backup is made its folder holds
 * a note that says so; one that was cut short keeps it, and the next run into the folder begins anew. */
#ifndef CHASQUI_CLI_TREE_H
#define CHASQUI_CLI_TREE_H

#include "bridge/cli/cli.h"

#define TREE_FORMAT 1
#define TREE_MANIFEST "manifest.json"

/* Creates a directory and its missing parents, mode 0700; an existing one is fine. */
enum cli_exit tree_make(const char *path);
/* True if there is no such path or it is a directory that holds nothing. */
bool tree_is_free(const char *path);
/* Copies a file (mode 0600, synced). */
enum cli_exit tree_copy_file(const char *from, const char *to);
/* Copies a folder and all below; a missing one is fine. */
enum cli_exit tree_copy(const char *from, const char *to);

#define TREE_NOTE "unfinished-backup"
/* A backup begins with a note that it is not finished and ends by taking it away. */
enum cli_exit tree_note_put(const char *dir);
bool tree_note_is(const char *dir);
enum cli_exit tree_note_drop(const char *dir);
/* Removes a file or a folder with all below it; a missing one is fine. */
enum cli_exit tree_remove(const char *path);

/* Makes the names in dir and in all folders below it durable. */
enum cli_exit tree_sync(const char *dir);
/* Writes the manifest of everything below dir; folders and the manifest are synced. */
enum cli_exit tree_manifest_write(const char *dir);
/* Reads the manifest and checks that each file it names is there and whole. New reference in *manifest. */
enum cli_exit tree_manifest_check(const char *dir, json_t **manifest);

#endif
