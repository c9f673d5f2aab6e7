/* fold.h: texts as flows compare them: the knowledge's folding, anything but words becoming one space.
 * Thread: any. */
#ifndef CHASQUI_AGENT_FLOW_FOLD_H
#define CHASQUI_AGENT_FLOW_FOLD_H

#include <stdbool.h>

/* malloc'ed. */
char *flow_fold(const char *text);
/* Both folded: the phrase stands there as whole words, or, in a script without spaces, anywhere. */
bool flow_holds(const char *folded, const char *phrase);

#endif
