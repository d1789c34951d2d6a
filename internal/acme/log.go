package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// details is a logger for certmagic, which tells every step to the log. Here
// that is for those who look for a fault; what people are told is in tell.
func details(log *slog.Logger) *zap.Logger { return zap.New(&core{log: log}) }

// A core writes what certmagic logs as debug lines.
type core struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (c *core) Enabled(level zapcore.Level) bool {
	return level > zapcore.DebugLevel && c.log.Enabled(context.Background(), slog.LevelDebug)
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{c.log, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *core) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(values)
	}
	args := []any{"level", e.Level.String()}
	for name, v := range values.Fields {
		args = append(args, name, v)
	}
	c.log.Debug("acme: "+e.Message, args...)
	return nil
}

func (c *core) Sync() error { return nil }
