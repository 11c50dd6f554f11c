"""The whole service, as `npm run dev` starts it, against PyTorch, MONAI and nibabel, through its public API alone."""
