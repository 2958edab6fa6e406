from cpgpt.data.cpgpt_datamodule import CpGPTDataModule

module = CpGPTDataModule(train_dir="data", num_workers=0, pin_memory=True)  #> 607=note@LMWF
