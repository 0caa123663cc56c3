package main

import (
	"context"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// How long a script may run.
const limit = time.Second

// sandbox is what Argo CD gives to the scripts of its settings: Lua's basic functions, `table`, `require`, and by
// require("os") the functions time and date. No string, no math, no io. `done` ends it.
func sandbox() (state *lua.LState, done func(), err error) {
	state = lua.NewState(lua.Options{SkipOpenLibs: true})
	patience, cancel := context.WithTimeout(context.Background(), limit)
	done = func() { cancel(); state.Close() }
	state.SetContext(patience)
	libraries := []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err = state.CallByParam(call, lua.LString(library.name)); err != nil {
			done()
			return nil, nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, harmlessOs)
	return state, done, nil
}

// harmlessOs is gopher-lua's os without what reaches the machine.
func harmlessOs(state *lua.LState) int {
	whole := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer whole.Close()
	lua.OpenOs(whole)
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		function := whole.GetField(whole.GetGlobal(lua.OsLibName), name).(*lua.LFunction).GFunction
		module.RawSetString(name, state.NewFunction(function))
	}
	state.Push(module)
	return 1
}

// toLua makes a table of an object. Lua has no null: such a field is missing, such an item of a list is left out. All
// numbers are floating point.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case int64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}
