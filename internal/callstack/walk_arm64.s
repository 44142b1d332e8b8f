//go:build !dbleaks_callers

#include "go_asm.h"
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

// func match(l *layout) bool
TEXT ·match(SB), NOSPLIT|NOFRAME, $0-9
	MOVD l+0(FP), R11
	MOVD layout_at(R11), R0
	MOVD layout_pcs(R11), R1
	MOVD layout_depth(R11), R4
	MOVD 0(g), R2    // g.stack.lo
	MOVD 8(g), R3    // g.stack.hi
	SUB  $16, R3     // where the last frame may lie
	CMP  R29, R2
	BHI  differs
	MOVD layout_telling(R11), R7
	MOVWU (R0)(R7<<2), R5
	ADD  R29, R5
	CMP  R3, R5
	BHI  differs
	MOVD 8(R5), R6
	MOVD (R1)(R7<<3), R7
	CMP  R6, R7
	BNE  differs
	SUB  $1, R4, R7
	MOVWU (R0)(R7<<2), R5
	ADD  R29, R5     // the outermost of the frames
	CMP  R3, R5      // the frames between lie lower, as they grow
	BHI  differs
	MOVD R4, R7
	MOVD $0, R6      // what is different so far

one:
	MOVWU.P 4(R0), R8
	MOVD.P  8(R1), R9
	ADD  R29, R8
	MOVD 8(R8), R10
	EOR  R9, R10
	ORR  R10, R6
	SUB  $1, R7
	CBNZ R7, one

	CBNZ R6, differs
	CMP  $64, R4
	BEQ  same        // the walk ends here anyway
	// Else it must end here too.
	MOVD (R5), R6
	CMP  R5, R6
	BLS  same
	CMP  R3, R6
	BHI  same
	AND  $7, R6, R7
	CBNZ R7, same
	MOVD 8(R6), R7
	CBZ  R7, same

differs:
	MOVB ZR, ret+8(FP)
	RET

same:
	MOVD $1, R7
	MOVB R7, ret+8(FP)
	RET
