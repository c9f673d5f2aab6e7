/* tbl_plans.h: X("plan", the option that holds its limits: requests a minute, messages an hour, knowledge writes a day). */
X("free",       OPT_PLAN_FREE)
X("pro",        OPT_PLAN_PRO)
X("enterprise", OPT_PLAN_ENTERPRISE)
