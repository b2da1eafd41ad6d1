package load

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// Functions that parsed expressions have, and nobody can write.
const (
	// boundedReplace stands for replace.
	boundedReplace = "@replace"
	// shortText stands before what indexOf and lastIndexOf look for.
	shortText = "@short"
	// shortLimit is how long that may be, in bytes. CEL compares it at every place anew.
	shortLimit = 100
)

// texts adds the functions of texts that look at them or cut them. No load needs
// join or format, which make long texts of short ones: the first version of the
// library has no format yet. What replace makes is no longer than an answer may
// be, and what is looked for is short.
func texts() []cel.EnvOption {
	text := func(n int) []*cel.Type {
		return []*cel.Type{cel.StringType, cel.StringType, cel.StringType, cel.IntType}[:n]
	}
	return []cel.EnvOption{
		ext.Strings(ext.StringsVersion(0)),
		cel.Macros(cel.ReceiverMacro("replace", 2, toBounded), cel.ReceiverMacro("replace", 3, toBounded)),
		cel.Macros(cel.ReceiverMacro("indexOf", 1, shortFor("indexOf")), cel.ReceiverMacro("indexOf", 2, shortFor("indexOf"))),
		cel.Macros(cel.ReceiverMacro("lastIndexOf", 1, shortFor("lastIndexOf")), cel.ReceiverMacro("lastIndexOf", 2, shortFor("lastIndexOf"))),
		cel.Macros(cel.ReceiverMacro("join", 0, refused), cel.ReceiverMacro("join", 1, refused)),
		cel.Function(boundedReplace,
			cel.Overload("bounded_replace", text(3), cel.StringType, cel.FunctionBinding(replaced)),
			cel.Overload("bounded_replace_times", text(4), cel.StringType, cel.FunctionBinding(replaced)),
		),
		cel.Function(shortText, cel.Overload("short_text", text(1), cel.StringType, cel.UnaryBinding(checkShort))),
	}
}

func toBounded(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	return f.NewCall(boundedReplace, append([]ast.Expr{target}, args...)...), nil
}

func shortFor(name string) cel.MacroFactory {
	return func(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		short := f.NewCall(shortText, args[0])
		return f.NewMemberCall(name, target, append([]ast.Expr{short}, args[1:]...)...), nil
	}
}

func checkShort(text ref.Val) ref.Val {
	if n := len(text.(types.String)); n > shortLimit {
		return types.NewErr("expected a text of %d bytes at most to look for, got %d", shortLimit, n)
	}
	return text
}

func refused(f cel.MacroExprFactory, target ast.Expr, _ []ast.Expr) (ast.Expr, *cel.Error) {
	return nil, f.NewError(target.ID(), "join is not available, because what it makes has no bounds")
}

// replaced replaces in its first argument, the second by the third, everywhere
// or as often as the fourth says.
func replaced(args ...ref.Val) ref.Val {
	text, before, after := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	times := strings.Count(text, before)
	if len(args) == 4 && args[3].(types.Int) >= 0 {
		times = int(min(args[3].(types.Int), types.Int(times)))
	}
	if len(text)+times*(len(after)-len(before)) > bodyLimit {
		return types.NewErr("replace would make a text of more than %d KiB", bodyLimit>>10)
	}
	return types.String(strings.Replace(text, before, after, times))
}
