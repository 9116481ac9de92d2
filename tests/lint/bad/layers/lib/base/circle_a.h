#include "base/circle_b.h"
