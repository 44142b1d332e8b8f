package fastclock

const readable = true

// counter is the processor's time-stamp counter. On all processors of this
// century's second decade it counts at a fixed rate, the same on each core.
func counter() uint64
