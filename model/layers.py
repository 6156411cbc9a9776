"""The layer model: one transformer, two branches, one joint sequence.

Legend: B batch, S branches, M modalities, L tokens of a branch, D dim, T text tokens, P pooled text dim.
"""

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from model.encoded import Encoded
from model.fusion import ContextFusion, WidenedEmbedder
from model.packing import image_ids
from model.spec import Spec
from model.transformer import add_lora, choose_trained


class Text(nn.Module):
    """What the transformer is told in words: one prompt for all pictures, zeros for a model that knows no text."""

    tokens: Tensor
    pooled: Tensor

    def __init__(self, text_dim: int, pooled_dim: int, num_tokens: int = 1) -> None:
        super().__init__()
        self.register_buffer("tokens", torch.zeros(1, num_tokens, text_dim))
        self.register_buffer("pooled", torch.zeros(1, pooled_dim))


class LayerModel(nn.Module):
    """A base transformer and what adapts it. At the start its answer is the base's, to the bit.

    Args:
        spec: how it is wired. LoRA, fusion and trained layers are made here, from `seed`.
        transformer: the base, which is changed in place.
        token_dim: latents of one token, 64 for FLUX.
    """

    def __init__(self, spec: Spec, transformer: FluxTransformer2DModel, token_dim: int, seed: int = 0) -> None:
        super().__init__()
        self.spec = spec
        self.token_dim = token_dim
        self.transformer: FluxTransformer2DModel = transformer
        self.dtype: torch.dtype = transformer.dtype  # of what is frozen
        config = transformer.config
        self.text = Text(config.joint_attention_dim, config.pooled_projection_dim)
        if spec.lora:
            add_lora(transformer, spec.lora, seed)
        choose_trained(transformer, spec.trained)
        self.fusion: ContextFusion | None = self._fuse(spec, seed) if spec.fusion else None

    def forward(self, noisy_BSLD: Tensor, sigma_B: Tensor, encoded: Encoded) -> Tensor:
        """(B, S, L, D): clean latents or velocities, as `spec.prediction` says. All branches share sigma.

        The loss sees float32; inside, the transformer's dtype rules.
        """
        branches, length = noisy_BSLD.shape[1:3]
        tokens = torch.cat([noisy_BSLD, encoded.context], dim=-1)
        if self.fusion is not None:
            tokens = torch.cat([tokens, self._extra(tokens, encoded)], dim=-1)
        out = self._transform(tokens.flatten(1, 2), sigma_B, encoded)
        out = out.reshape(len(out), branches, length, -1).float()
        return out + encoded.anchor if self.spec.prediction == "x0" else out

    def _transform(self, tokens_BLD: Tensor, sigma_B: Tensor, encoded: Encoded) -> Tensor:
        batch, device, dtype = len(tokens_BLD), tokens_BLD.device, self.dtype
        grids = [image_ids(encoded.height, encoded.width, i, device) for i in range(len(self.spec.branches))]
        text = self.text.tokens.to(dtype).expand(batch, -1, -1)
        guidance = torch.full((batch,), self.spec.guidance, device=device)
        out: Tensor = self.transformer(
            hidden_states=tokens_BLD.to(dtype),
            encoder_hidden_states=text,
            pooled_projections=self.text.pooled.to(dtype).expand(batch, -1),
            timestep=sigma_B.to(dtype),
            img_ids=torch.cat(grids),
            txt_ids=torch.zeros(text.shape[1], 3, device=device),
            guidance=guidance if self.transformer.config.guidance_embeds else None,
            return_dict=False,
        )[0]
        return out

    def _extra(self, tokens_BSLD: Tensor, encoded: Encoded) -> Tensor:
        """(B, S, L, E): what the fusion read, and the context at each token's own place."""
        assert self.fusion is not None
        assert self.spec.fusion is not None
        branches = tokens_BSLD.shape[1]
        grid = (encoded.height // 2, encoded.width // 2)
        views = encoded.contexts.unbind(1)
        read = self.fusion.summarise(views, grid, grid)
        fused = [self.fusion.answer(tokens_BSLD[:, s], read, grid) for s in range(branches)]
        extra = torch.stack(fused, dim=1)
        if not self.spec.fusion.aligned:
            return extra
        own = torch.cat(views, dim=-1)[:, None].expand(-1, branches, -1, -1)
        return torch.cat([extra, own.to(extra.dtype)], dim=-1)

    def _fuse(self, spec: Spec, seed: int) -> ContextFusion:
        fusion = spec.fusion
        assert fusion is not None
        base = self.transformer.x_embedder
        num = len(fusion.modalities)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            made = ContextFusion(
                token_dim=self.token_dim,
                query_dim=base.in_features,
                width=fusion.width,
                num_latents=fusion.num_latents,
                num_heads=fusion.num_heads,
                out_dim=fusion.out_dim,
                num_modalities=num,
            )
            extra = fusion.out_dim + (num * self.token_dim if fusion.aligned else 0)
            self.transformer.x_embedder = WidenedEmbedder(base, extra)
        return made
