/* words.h: where the room finds its words; see agent/common/words.h. */
#ifndef CHASQUI_AGENT_WORDS_HERE_H
#define CHASQUI_AGENT_WORDS_HERE_H

#include "agent/common/words.h"

#endif
