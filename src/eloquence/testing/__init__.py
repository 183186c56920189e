"""What tests need and a third party's tests may use too: fake services that really speak their
protocols, scripted stages, recognisers made for a few sentences. Ships with the package."""
