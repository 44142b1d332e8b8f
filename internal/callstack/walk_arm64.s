//go:build !dbleaks_callers

#include "textflag.h"

// func walk(pcs *[MaxDepth]uintptr) int
//
// A frame record lies where the frame pointer says: the caller's frame
// pointer, and above it the return address. See walk.go for why this is safe.
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-16
	MOVD pcs+0(FP), R0
	MOVD 0(g), R2    // g.stack.lo
	MOVD 8(g), R3    // g.stack.hi
	MOVD LR, (R0)    // where this function was called
	MOVD $1, R4      // how many are found
	MOVD R29, R5

next:
	CMP  $64, R4
	BGE  done
	CMP  R2, R5
	BLO  done
	ADD  $16, R5, R6
	CMP  R3, R6
	BHI  done
	AND  $7, R5, R6
	CBNZ R6, done
	MOVD 8(R5), R7
	CBZ  R7, done
	MOVD R7, (R0)(R4<<3)
	ADD  $1, R4
	MOVD 0(R5), R6
	CMP  R5, R6
	BLS  done        // callers' frames lie higher
	MOVD R6, R5
	B    next

done:
	MOVD R4, ret+8(FP)
	RET
