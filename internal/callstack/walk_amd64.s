//go:build !dbleaks_callers

#include "textflag.h"

// A frame starts at the frame pointer: there lies the caller's frame pointer,
// and above it the return address. See walk.go for why this is safe.

// func walk(frames *[maxWalk]frame) int
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ frames+0(FP), DI
	MOVQ (TLS), R8
	MOVQ 0(R8), R9   // g.stack.lo
	MOVQ 8(R8), R10  // g.stack.hi
	SUBQ $16, R10    // where the last frame may lie
	XORL CX, CX      // how many are found
	MOVQ BP, BX

next:
	CMPQ BX, R9
	JCS  done
	CMPQ BX, R10
	JHI  done
	TESTQ $7, BX
	JNE  done
	MOVQ 8(BX), AX
	TESTQ AX, AX
	JEQ  done
	MOVQ AX, 8(DI)
	INCQ CX
	MOVQ 0(BX), DX
	MOVQ DX, AX
	SUBQ BP, AX
	MOVQ AX, 0(DI)
	ADDQ $16, DI
	CMPQ CX, $65
	JGE  done
	CMPQ DX, BX
	JLS  done        // callers' frames lie higher
	MOVQ DX, BX
	JMP  next

done:
	MOVQ CX, ret+8(FP)
	RET

// func position() (height, caller uintptr)
TEXT ·position(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ (TLS), R8
	MOVQ 8(R8), R10
	SUBQ BP, R10
	MOVQ R10, height+0(FP)
	MOVQ 8(BP), AX
	MOVQ AX, caller+8(FP)
	RET

// func match(frames *frame, n, first int) bool
//
// Four frames a turn.
TEXT ·match(SB), NOSPLIT|NOFRAME, $0-25
	MOVQ frames+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ first+16(FP), AX
	MOVQ (TLS), R8
	MOVQ 0(R8), R9   // g.stack.lo
	MOVQ 8(R8), R10  // g.stack.hi
	SUBQ $16, R10    // where the last frame may lie
	CMPQ BP, R9
	JCS  differs
	SHLQ $4, AX
	ADDQ SI, AX
	MOVQ -16(AX), BX
	LEAQ (BP)(BX*1), DX
	CMPQ DX, R10
	JHI  differs
	MOVQ 8(AX), AX
	CMPQ AX, 8(BP)(BX*1)
	JNE  differs
	DECQ CX
	MOVQ CX, R11
	SHLQ $4, R11
	ADDQ SI, R11     // the outermost of the frames
	MOVQ -16(R11), AX
	LEAQ (BP)(AX*1), DX
	CMPQ DX, R10     // the frames between lie lower, as they grow
	JHI  differs
	XORL DX, DX      // what is different so far
	XORL BX, BX      // the frame's place, relative to BP
	SUBQ $4, CX
	JCS  rest

four:
	MOVQ 8(SI), AX
	XORQ 8(BP)(BX*1), AX
	MOVQ (SI), BX
	MOVQ 24(SI), R8
	XORQ 8(BP)(BX*1), R8
	MOVQ 16(SI), BX
	ORQ  AX, DX
	MOVQ 40(SI), AX
	XORQ 8(BP)(BX*1), AX
	MOVQ 32(SI), BX
	ORQ  R8, DX
	MOVQ 56(SI), R8
	XORQ 8(BP)(BX*1), R8
	MOVQ 48(SI), BX
	ORQ  AX, DX
	ORQ  R8, DX
	ADDQ $64, SI
	SUBQ $4, CX
	JCC  four

rest:
	CMPQ SI, R11
	JEQ  outermost

one:
	MOVQ 8(SI), AX
	XORQ 8(BP)(BX*1), AX
	MOVQ (SI), BX
	ORQ  AX, DX
	ADDQ $16, SI
	CMPQ SI, R11
	JNE  one

outermost:
	TESTQ DX, DX
	JNE  differs
	ADDQ BP, BX
	MOVQ 8(BX), AX
	CMPQ AX, 8(SI)
	JNE  differs
	CMPQ n+8(FP), $64
	JEQ  same        // the walk ends here anyway
	// Else it must end here too.
	MOVQ 0(BX), DX
	CMPQ DX, BX
	JLS  same
	CMPQ DX, R10
	JHI  same
	TESTQ $7, DX
	JNE  same
	MOVQ 8(DX), AX
	TESTQ AX, AX
	JEQ  same

differs:
	MOVB $0, ret+24(FP)
	RET

same:
	MOVB $1, ret+24(FP)
	RET
