"""Between tensors and media: outputs to PNG, npy and raw bytes, and inputs back."""
