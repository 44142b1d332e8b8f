// Package callback lets C call Go, for the test that captures stacks there:
// C keeps no frame pointers, or others.
package callback

/*
extern void callbackInGo(void);

static void deep(int n) {
	volatile char space[64];
	space[0] = n;
	if (n > 0)
		deep(n - 1);
	else
		callbackInGo();
	space[1] = space[0];
}
*/
import "C"

import "sync"

var (
	mu   sync.Mutex
	inGo func()
)

// Through has C call f. It must not be called by f.
func Through(f func()) {
	mu.Lock()
	defer mu.Unlock()
	inGo = f
	C.deep(3)
}

//export callbackInGo
func callbackInGo() { inGo() }
