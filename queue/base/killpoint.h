/* killpoint.h: named places in the way of a message at which a test may end the process as SIGKILL does.
 *
 * KILL_POINT("send.before") is nothing at all unless the build has CHASQUI_KILL_POINTS (the sanitized builds;
 * never a release). There, TEST_KILL_POINT=name:count ends the process when that place is reached for the
 * count-th time. tests/integration/test_kill_points.py goes through all of them. Thread: any. */
#ifndef CHASQUI_BASE_KILLPOINT_H
#define CHASQUI_BASE_KILLPOINT_H

#ifdef CHASQUI_KILL_POINTS
void kill_point(const char *name);
#define KILL_POINT(name) kill_point(name)
#else
#define KILL_POINT(name) ((void)0)
#endif

#endif
