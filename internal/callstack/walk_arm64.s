//go:build !dbleaks_callers

#include "textflag.h"

// A frame record lies where the frame pointer says: the caller's frame
// pointer, and above it the return address. See walk.go for why this is safe.

// func walk(frames *[maxWalk]frame) int
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-16
	MOVD frames+0(FP), R0
	MOVD 0(g), R2    // g.stack.lo
	MOVD 8(g), R3    // g.stack.hi
	SUB  $16, R3     // where the last frame may lie
	MOVD $0, R4      // how many are found
	MOVD R29, R5

next:
	CMP  R2, R5
	BLO  done
	CMP  R3, R5
	BHI  done
	AND  $7, R5, R6
	CBNZ R6, done
	LDP  (R5), (R6, R7)
	CBZ  R7, done
	SUB  R29, R6, R8
	STP  (R8, R7), (R0)
	ADD  $16, R0
	ADD  $1, R4
	CMP  $65, R4
	BGE  done
	CMP  R5, R6
	BLS  done        // callers' frames lie higher
	MOVD R6, R5
	B    next

done:
	MOVD R4, ret+8(FP)
	RET

// func position() (height, caller uintptr)
TEXT ·position(SB), NOSPLIT|NOFRAME, $0-16
	MOVD 8(g), R3
	SUB  R29, R3, R3
	MOVD R3, height+0(FP)
	MOVD 8(R29), R4
	MOVD R4, caller+8(FP)
	RET

// func match(frames *frame, n, first int) bool
TEXT ·match(SB), NOSPLIT|NOFRAME, $0-25
	MOVD frames+0(FP), R0
	MOVD n+8(FP), R1
	MOVD 0(g), R2    // g.stack.lo
	MOVD 8(g), R3    // g.stack.hi
	SUB  $16, R3     // where the last frame may lie
	CMP  R29, R2
	BHI  differs
	MOVD first+16(FP), R4
	ADD  R4<<4, R0, R4
	MOVD -16(R4), R5
	ADD  R29, R5
	CMP  R3, R5
	BHI  differs
	MOVD 8(R5), R6
	MOVD 8(R4), R7
	CMP  R6, R7
	BNE  differs
	SUB  $1, R1, R4
	ADD  R4<<4, R0, R4 // the outermost of the frames
	MOVD -16(R4), R5
	ADD  R29, R5
	CMP  R3, R5      // the frames between lie lower, as they grow
	BHI  differs
	MOVD R29, R5
	MOVD $0, R6      // what is different so far

one:
	LDP.P 16(R0), (R7, R8)
	MOVD 8(R5), R10
	ADD  R29, R7, R5
	EOR  R8, R10
	ORR  R10, R6
	CMP  R4, R0
	BNE  one

	CBNZ R6, differs
	LDP  (R5), (R6, R7)
	MOVD 8(R0), R8
	CMP  R7, R8
	BNE  differs
	CMP  $64, R1
	BEQ  same        // the walk ends here anyway
	// Else it must end here too.
	CMP  R5, R6
	BLS  same
	CMP  R3, R6
	BHI  same
	AND  $7, R6, R7
	CBNZ R7, same
	MOVD 8(R6), R7
	CBZ  R7, same

differs:
	MOVB ZR, ret+24(FP)
	RET

same:
	MOVD $1, R7
	MOVB R7, ret+24(FP)
	RET
