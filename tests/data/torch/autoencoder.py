import torch
from torch import nn


class Net(nn.Module):
    """A dense autoencoder; its score is a mean squared error over the objects that are there."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1 / 64, 1 / 4, 1 / 4]))
        self.encoder = nn.Sequential(nn.Linear(57, 16), nn.ReLU(), nn.Linear(16, 4), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 57))

    def forward(self, events):  # (n, 19, 3): pT [GeV], eta, phi
        x = events * self.scale
        decoded = self.decoder(self.encoder(x.flatten(1))).reshape(-1, 19, 3)
        mask = torch.clamp(events[:, :, 0:1], 0, 1)  # 0 where there is no object
        return ((x - decoded) * mask).square().mean(dim=(1, 2))
