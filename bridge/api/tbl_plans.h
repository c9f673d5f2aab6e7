/* tbl_plans.h: X("plan", requests per minute, messages per hour, knowledge writes per day); 0: unlimited. */
X("free",       30,   60,   20)
X("pro",        300,  1000, 500)
X("enterprise", 3000, 0,    0)
