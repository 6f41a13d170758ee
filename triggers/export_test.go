package triggers

// MergePatch is RFC 7396.
func MergePatch(target, patch map[string]any) map[string]any { return mergePatch(target, patch) }
