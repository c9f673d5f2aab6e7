/* words.h: small helpers of the command line: nearest names, the profile's place. */
#ifndef CHASQUI_CLI_WORDS_H
#define CHASQUI_CLI_WORDS_H

#include <stdbool.h>

/* The known command or flag within a few edits of the word; NULL if none is near. */
const char *words_nearest_command(const char *word);
const char *words_nearest_flag(const char *word);
/* True if the space-separated list holds the word. */
bool words_contain(const char *list, const char *word);
/* $XDG_CONFIG_HOME/chasqui/profile.conf or ~/.config/chasqui/profile.conf; caller frees; NULL without a home. */
char *words_profile_path(void);

#endif
