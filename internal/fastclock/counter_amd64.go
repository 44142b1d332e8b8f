package fastclock

const readable = true

// counter is the processor's time-stamp counter, which counts at a fixed rate, the
// same on each core, on processors made since 2010 or so.
func counter() uint64
