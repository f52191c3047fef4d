package redis

import "context"

// ask has something be asked of Redis until a context ends, which the client's
// library looks at before it waits for a reply, and not while it does. A reply
// that is there is taken. What is given up goes on for as long as its connection
// waits, and its reply is nobody's.
func ask[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	replies := make(chan reply, 1)
	go func() {
		v, err := do(ctx)
		replies <- reply{v, err}
	}()
	select {
	case r := <-replies:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-replies:
		return r.value, r.err
	default:
		return none, context.Cause(ctx)
	}
}

// tell is ask about what has no reply but its error.
func tell(ctx context.Context, do func(context.Context) error) error {
	_, err := ask(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}
