//go:build !dbleaks_callers

#include "textflag.h"

// func walk(pcs *[MaxDepth]uintptr) int
//
// A frame starts at the frame pointer: there lies the caller's frame pointer,
// and above it the return address. See walk.go for why this is safe.
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ pcs+0(FP), DI
	MOVQ (TLS), R8
	MOVQ 0(R8), R9   // g.stack.lo
	MOVQ 8(R8), R10  // g.stack.hi
	MOVQ 0(SP), AX   // where this function was called
	MOVQ AX, (DI)
	MOVQ $1, CX      // how many are found
	MOVQ BP, BX

next:
	CMPQ CX, $64
	JGE  done
	CMPQ BX, R9
	JCS  done
	LEAQ 16(BX), DX
	CMPQ DX, R10
	JHI  done
	TESTQ $7, BX
	JNE  done
	MOVQ 8(BX), AX
	TESTQ AX, AX
	JEQ  done
	MOVQ AX, (DI)(CX*8)
	INCQ CX
	MOVQ 0(BX), DX
	CMPQ DX, BX
	JLS  done        // callers' frames lie higher
	MOVQ DX, BX
	JMP  next

done:
	MOVQ CX, ret+8(FP)
	RET
