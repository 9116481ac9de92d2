#ifndef ZSD_BASE_OTHER_H
#define ZSD_BASE_OTHER_H
#endif
